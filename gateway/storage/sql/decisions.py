"""The record: decisions as canonical bytes, written once, confirmed where nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway.domain.chain import EntryKind
from gateway.domain.record import Decision, DecisionId, decision_from_document, substance, written
from gateway.errors import StorageError
from gateway.storage.columns import to_ms
from gateway.storage.keys import change_key, is_name, repository_key
from gateway.storage.prepared import Prepared, prepared_insert
from gateway.storage.sql.chain import enlist, enlist_each
from gateway.storage.sql.tables import decisions
from gateway.storage.sql.upsert import insert_new
from policies.model import rfc3339

_SHOWN = (decisions.c.document, decisions.c.confirmed_at)
_BY_ID = select(*_SHOWN).where(decisions.c.id == bindparam("id"))
# provided facts and gathered ones are two records of one change: neither interrupts the other's
LAST = (
    select(decisions.c.ord, decisions.c.substance, decisions.c.document)
    .where(decisions.c.change_key == bindparam("change_key"), decisions.c.facts == bindparam("facts"))
    .order_by(decisions.c.ord.desc())
    .limit(1)
)
_LAST = Prepared(LAST)
_INSERT = prepared_insert(decisions, without={"ord"})
_CONFIRM = Prepared(update(decisions).where(decisions.c.ord == bindparam("last")).values(confirmed_at=bindparam("now")))


def record_decision(connection: Connection, decision: Decision, row: Mapping[str, Any]) -> Decision:
    """A new row (from `row_of`), or the last decision confirmed because it says the same (`substance`).

    The same id again is the same decision again: it is returned as it stands.
    """
    confirmed = confirm_last(connection, decision, row)
    if confirmed is not None:
        return confirmed
    if insert_new(connection, decisions, row):
        enlist(connection, EntryKind.DECISION, decision.id, row["document"])
        return decision
    known = connection.execute(_BY_ID, {"id": decision.id}).one()
    if known.document != row["document"]:
        raise StorageError(f"decision {decision.id} is on record already, and says something else")
    return decision_of(known.document, known.confirmed_at)


def write_new(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """New rows (from `row_of`). Raises where one of them is on record already."""
    _INSERT.run_many(connection, rows)
    enlist_each(connection, EntryKind.DECISION, [(row["id"], row["document"]) for row in rows])


def row_of(decision: Decision, facts: bytes, document: bytes | None = None) -> dict[str, Any]:
    """The decision as a row. document: as `written`, where that is at hand. Raises NotCanonical for text that JSON cannot carry."""
    document = document or written(decision)
    return {
        **searched_columns(decision),
        "substance": substance(document, facts) if decision.change else None,
        "confirmed_at": rfc3339(decision.confirmed_at) if decision.confirmed_at else None,
        "document": document,
    }


def searched_columns(decision: Decision) -> dict[str, Any]:
    """The columns a decision is found by. They say nothing its document does not say."""
    change = decision.change
    return {
        "id": decision.id,
        "at": to_ms(decision.at),
        "connection": change.connection if change else None,
        "repository_key": repository_key(change.repository) if change else None,
        "change_key": change_key(change.connection, change.repository, change.number) if change else None,
        "number": change.number if change else None,
        "outcome": decision.outcome.value,
        "facts": decision.facts.value,
        "facts_digest": decision.input_digest,
    }


def read_decision(connection: Connection, id: DecisionId) -> Decision | None:
    """As recorded."""
    if not is_name(id):
        return None
    row = connection.execute(_BY_ID, {"id": id}).one_or_none()
    return None if row is None else decision_of(row.document, row.confirmed_at)


def decision_of(document: bytes, confirmed_at: str | None) -> Decision:
    """From the columns of those names."""
    decision = decision_from_document(json.loads(document))
    return decision if confirmed_at is None else replace(decision, confirmed_at=datetime.fromisoformat(confirmed_at))


def confirm_last(connection: Connection, decision: Decision, row: Mapping[str, Any]) -> Decision | None:
    """The last decision on the same change, confirmed, where it says the same; None where it does not, or there is none."""
    if decision.change is None:
        return None
    found = _LAST.run(connection, change_key=row["change_key"], facts=row["facts"])
    ord, known, document = found[0] if found else (None, None, b"")
    if known is None or known != row["substance"]:
        return None
    _CONFIRM.run(connection, last=ord, now=rfc3339(decision.at))
    return replace(decision_from_document(json.loads(document)), confirmed_at=decision.at)
