"""What is known of each change, and what was last posted about its commits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from gateway.domain.record import Decision, Override, TrackedChange, carried_over, decided
from gateway.storage.checks import moved, require_seen, stands_as_seen
from gateway.storage.columns import to_ms
from gateway.storage.documents import change_document, change_from_document, report_document, report_from_document
from gateway.storage.keys import change_key, head_key, key
from gateway.storage.port import PostedReport, Seen
from gateway.storage.sql.tables import changes, reports
from gateway.storage.sql.upsert import insert_new, put
from policies.canonical import canonical

_BY_KEY = select(changes.c.document).where(changes.c.key == bindparam("key"))
_LOCKED = _BY_KEY.with_for_update()
WITH_HEAD = select(changes.c.document).where(changes.c.head_key == bindparam("head_key"))
_REPORT = select(reports.c.document).where(reports.c.key == bindparam("key"))


def put_change(connection: Connection, change: TrackedChange) -> None:
    """Remember it; it replaces what was known."""
    put(connection, changes, _row(change))


def _row(change: TrackedChange) -> dict[str, Any]:
    ref = change.ref
    return {
        "key": change_key(ref.connection, ref.repository, ref.number),
        "head_key": head_key(ref.connection, ref.repository_id, ref.head_sha),
        "state": change.state,
        "updated_at": to_ms(change.updated_at),
        "document": canonical(change_document(change)),
    }


def track_change(connection: Connection, change: TrackedChange) -> None:
    """Remember it with the decision it has, as far as that still is good for it."""
    put_change(
        connection,
        carried_over(read_change(connection, change.ref.connection, change.ref.repository, change.ref.number, locked=True), change),
    )


def record_decided(connection: Connection, change: TrackedChange, decision: Decision, seen: Seen | None) -> None:
    """Remember it with this decision. Its row is locked first: an override given meanwhile must not be lost.

    Raises ChangeMoved where others have written since it was `seen`, also if both of us are the first.
    """
    ref = change.ref
    known = read_change(connection, ref.connection, ref.repository, ref.number, locked=True)
    if seen is not None:
        require_seen(known, seen)
    row = _row(decided(known, change, decision))
    if known is not None or seen is None:
        put(connection, changes, row)
    elif not insert_new(connection, changes, row):
        raise moved(ref)


def set_override(connection: Connection, change: TrackedChange, override: Override | None) -> TrackedChange | None:
    """The change with it; None, and nothing changes, where it has moved."""
    ref = change.ref
    known = read_change(connection, ref.connection, ref.repository, ref.number, locked=True)
    if known is None or not stands_as_seen(known, change, giving=override is not None):
        return None
    put_change(connection, overridden := replace(known, override=override))
    return overridden


def read_change(connection: Connection, its_connection: str, repository: str, number: int, *, locked: bool = False) -> TrackedChange | None:
    """By the repository's name. locked: nobody else changes it until this transaction ends."""
    document = connection.scalar(_LOCKED if locked else _BY_KEY, {"key": change_key(its_connection, repository, number)})
    return None if document is None else change_from_document(json.loads(document))


def list_changes(connection: Connection, *, state: str | None, limit: int) -> Sequence[TrackedChange]:
    """Most recently updated first."""
    return [change_from_document(json.loads(document)) for document in connection.scalars(list_query(state, limit))]


def list_query(state: str | None, limit: int) -> Select[Any]:
    """The query of that list."""
    query = select(changes.c.document).order_by(changes.c.updated_at.desc()).limit(limit)
    return query if state is None else query.where(changes.c.state == state)


def changes_with_head(connection: Connection, its_connection: str, repository_id: str, sha: str) -> Sequence[TrackedChange]:
    """Every change with that head, by number."""
    documents = connection.scalars(WITH_HEAD, {"head_key": head_key(its_connection, repository_id, sha)})
    found = [change_from_document(json.loads(document)) for document in documents]
    return sorted(found, key=lambda change: change.ref.number)


def put_report(connection: Connection, report: PostedReport) -> None:
    """Remember what was posted; it replaces what was."""
    its_key = key(report.connection, report.repository_id, report.sha, report.context)
    put(connection, reports, {"key": its_key, "document": canonical(report_document(report))})


def read_report(connection: Connection, its_connection: str, repository_id: str, sha: str, context: str) -> PostedReport | None:
    """What was last posted."""
    document = connection.scalar(_REPORT, {"key": key(its_connection, repository_id, sha, context)})
    return None if document is None else report_from_document(json.loads(document))
