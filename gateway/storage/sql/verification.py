"""Holds the record against its seals: every seal, every entry, the columns entries are found by, and the facts they name.

The bundles and generations they name are looked at in `gateway.storage.sql.verified_bundles`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, String, Table, cast, exists, select

from gateway.domain.chain import Entry, EntryKind, Flaw, FlawKind, Head, Seal, broken_links, content_hash
from gateway.domain.erasure import Acts
from gateway.domain.record import decision_from_document
from gateway.errors import Erased, StorageError
from gateway.storage.sql.blobs import read_blob
from gateway.storage.sql.bundle_history import searched
from gateway.storage.sql.chain import read_head, read_seals, read_waiting
from gateway.storage.sql.decisions import searched_columns
from gateway.storage.sql.tables import audit_events, decisions, seals, unsealed
from gateway.storage.sql.verified_bundles import Looked, flaws_of_bundles, flaws_of_generation

_UNSEALED_SHOWN = 100


def page_of_flaws(connection: Connection, head: Head, acts: Acts, looked: Looked, *, limit: int) -> tuple[list[Flaw], Head]:
    """What is wrong with the `limit` seals after `head` and with what they are of; where they end."""
    page = read_seals(connection, after=head.position, limit=limit)
    flaws = [*broken_links(head, page), *_entry_flaws(connection, [(seal.position, seal.entry) for seal in page], acts, looked)]
    return flaws, page[-1].head if page else head


def flaws_at_the_end(connection: Connection, last: Head, acts: Acts, looked: Looked) -> list[Flaw]:
    """What is wrong with the head, with what waits, and what was never enlisted, once the seals up to `last` are read."""
    # the head first: seals made after it was read are beyond it, and no flaw
    head = read_head(connection)
    waiting: list[tuple[int | None, Entry]] = [(None, entry) for entry in read_waiting(connection)]
    return [*_head_flaws(connection, head, last), *_entry_flaws(connection, waiting, acts, looked), *_never_enlisted(connection)]


def sealed_entries(connection: Connection, *, after: int, limit: int) -> list[tuple[Seal, bytes | None]]:
    """The seals that follow, each with the written form of what it is of."""
    page = read_seals(connection, after=after, limit=limit)
    rows = _rows(connection, [seal.entry for seal in page])
    return [(seal, row["document"] if (row := rows.get(seal.entry.kind, {}).get(seal.entry.id)) else None) for seal in page]


def _rows(connection: Connection, entries: Sequence[Entry]) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        EntryKind.DECISION: _decision_rows(connection, [e.id for e in entries if e.kind == EntryKind.DECISION]),
        EntryKind.AUDIT: _audit_rows(connection, [e.id for e in entries if e.kind == EntryKind.AUDIT]),
    }


def _head_flaws(connection: Connection, head: Head, last: Head) -> Iterator[Flaw]:
    if head == last:
        return
    before = read_seals(connection, after=head.position - 1, limit=1) if head.position else []
    if head.position < last.position and (not head.position or (before and before[0].head == head)):
        message = f"the chain's head is {head.position}, but seals go on to {last.position}"
    elif before and before[0].head == head:
        return  # sealed meanwhile
    else:
        message = f"the chain's head is {head.position}, but no seal of that hash is there: the last is {last.position}"
    yield Flaw(kind=FlawKind.HEAD_WRONG, position=head.position, message=message)


def _entry_flaws(connection: Connection, places: Sequence[tuple[int | None, Entry]], acts: Acts, looked: Looked) -> Iterator[Flaw]:
    written = _rows(connection, [entry for _, entry in places])
    for position, entry in places:
        row = written.get(entry.kind, {}).get(entry.id)
        name = f"{entry.kind} {entry.id}"
        if row is None:
            yield Flaw(kind=FlawKind.ENTRY_MISSING, position=position, entry=entry.id, message=f"{name} is gone")
        elif content_hash(EntryKind(entry.kind), row["document"]) != entry.content:
            yield Flaw(kind=FlawKind.ENTRY_CHANGED, position=position, entry=entry.id, message=f"{name} has been changed")
        elif entry.kind == EntryKind.AUDIT and (row["at"], row["about_key"]) != searched(json.loads(row["document"])):
            yield Flaw(kind=FlawKind.ENTRY_CHANGED, position=position, entry=entry.id, message=f"{name} is found under what it is not")
        elif entry.kind == EntryKind.DECISION:
            yield from _decision_flaws(connection, position, entry, row, acts)
            named = [(bundle["name"], bundle["digest"]) for bundle in json.loads(row["document"])["bundles"]]
            yield from flaws_of_bundles(connection, position, entry, named, looked)
        else:
            yield from flaws_of_generation(connection, position, entry, json.loads(row["document"])["details"], looked)


def _decision_flaws(connection: Connection, position: int | None, entry: Entry, row: dict[str, Any], acts: Acts) -> Iterator[Flaw]:
    """Of one whose document is as it was recorded."""
    decision = decision_from_document(json.loads(row["document"]))
    changed = sorted(name for name, value in searched_columns(decision).items() if row[name] != value)
    if changed:
        message = f"decision {entry.id}: {', '.join(changed)} no longer says what the decision says"
        yield Flaw(kind=FlawKind.ENTRY_CHANGED, position=position, entry=entry.id, message=message)
    try:
        if read_blob(connection, decision.input_digest) is None:
            message = f"decision {entry.id}: its facts are gone, so it cannot be replayed"
            yield Flaw(kind=FlawKind.FACTS_MISSING, position=position, entry=entry.id, message=message)
    except Erased as problem:
        if not acts.account_for(decision.input_digest, decision.at):
            message = f"decision {entry.id}: {problem}; but no act on record says so"
            yield Flaw(kind=FlawKind.FACTS_MISSING, position=position, entry=entry.id, message=message)
    except StorageError:
        message = f"decision {entry.id}: its facts have been changed"
        yield Flaw(kind=FlawKind.FACTS_CHANGED, position=position, entry=entry.id, message=message)


def _decision_rows(connection: Connection, ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = connection.execute(select(decisions).where(decisions.c.id.in_(ids))) if ids else ()
    return {row.id: dict(row._mapping) for row in rows}


def _audit_rows(connection: Connection, ids: list[str]) -> dict[str, dict[str, Any]]:
    ords = [int(id) for id in ids if id.isascii() and id.isdecimal() and len(id) <= 18]
    rows = connection.execute(select(audit_events).where(audit_events.c.ord.in_(ords))) if ords else ()
    return {str(row.ord): dict(row._mapping) for row in rows}


def _never_enlisted(connection: Connection) -> Iterator[Flaw]:
    """Rows that came into the record by another way than recording."""
    for kind, table, id in (
        (EntryKind.DECISION, decisions, decisions.c.id),
        (EntryKind.AUDIT, audit_events, cast(audit_events.c.ord, String(20))),
    ):
        query = select(id).where(~_listed(seals, kind, id), ~_listed(unsealed, kind, id)).select_from(table).limit(_UNSEALED_SHOWN)
        for found in connection.scalars(query):
            yield Flaw(kind=FlawKind.ENTRY_UNSEALED, entry=found, message=f"{kind} {found} was never enlisted for sealing")


def _listed(table: Table, kind: EntryKind, id: Any) -> Any:
    return exists().where(table.c.kind == kind.value, table.c.ref == id)
