"""The record: decisions as canonical bytes, written once, confirmed where nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway.domain.chain import EntryKind
from gateway.domain.record import Decision, DecisionId, decision_document, decision_from_document, substance
from gateway.errors import StorageError
from gateway.storage.columns import to_ms
from gateway.storage.keys import change_key, is_name, repository_key
from gateway.storage.prepared import Prepared
from gateway.storage.sql.chain import enlist
from gateway.storage.sql.tables import decisions
from gateway.storage.sql.upsert import insert_new
from policies.canonical import canonical
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
_CONFIRM = Prepared(update(decisions).where(decisions.c.ord == bindparam("last")).values(confirmed_at=bindparam("now")))


def record_decision(connection: Connection, decision: Decision, row: Mapping[str, Any]) -> Decision:
    """A new row (from `row_of`), or the last decision confirmed because it says the same (`substance`).

    The same id again is the same decision again: it is returned as it stands.
    """
    confirmed = _confirm_last(connection, decision, row) if decision.change is not None else None
    if confirmed is not None:
        return confirmed
    if insert_new(connection, decisions, row):
        enlist(connection, EntryKind.DECISION, decision.id, row["document"])
        return decision
    known = connection.execute(_BY_ID, {"id": decision.id}).one()
    if known.document != row["document"]:
        raise StorageError(f"decision {decision.id} is on record already, and says something else")
    return decision_of(known.document, known.confirmed_at)


def row_of(decision: Decision, facts: bytes) -> dict[str, Any]:
    """The decision as a row. Raises NotCanonical for text that JSON cannot carry."""
    said = {**decision_document(decision), "confirmed_at": None}
    return {
        **searched_columns(decision),
        "substance": substance(said, facts) if decision.change else None,
        "confirmed_at": rfc3339(decision.confirmed_at) if decision.confirmed_at else None,
        "document": canonical(said),
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


def _confirm_last(connection: Connection, decision: Decision, row: Mapping[str, Any]) -> Decision | None:
    found = _LAST.run(connection, change_key=row["change_key"], facts=row["facts"])
    ord, known, document = found[0] if found else (None, None, b"")
    if known is None or known != row["substance"]:
        return None
    _CONFIRM.run(connection, last=ord, now=rfc3339(decision.at))
    return replace(decision_from_document(json.loads(document)), confirmed_at=decision.at)
