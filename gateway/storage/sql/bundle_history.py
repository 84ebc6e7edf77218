"""Generations brought into force on purpose: with the revisions they bring, who did it, and the changes to judge again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.domain.audit import AuditEvent
from gateway.domain.chain import EntryKind
from gateway.domain.record import Generation
from gateway.errors import GenerationMoved
from gateway.storage.checks import admitted_first
from gateway.storage.columns import to_ms
from gateway.storage.dispatches import write_dispatches
from gateway.storage.documents import (
    change_from_document,
    event_document,
    event_from_document,
    generation_document,
    generation_from_document,
    revision_document,
    revision_from_document,
)
from gateway.storage.keys import is_name, key
from gateway.storage.port import BundleRevision, Concerned, StoredBundle
from gateway.storage.sql.chain import enlist
from gateway.storage.sql.generations import keep_bundle
from gateway.storage.sql.tables import audit_events, bundle_revisions, changes, generations, in_force
from policies.canonical import canonical

_AT_ONCE = 500
"""Dispatches in one statement: databases count their parameters."""


def put_in_force(
    connection: Connection,
    generation: Generation,
    *,
    keep: Sequence[StoredBundle],
    event: AuditEvent,
    concerned: Concerned,
    now_ms: int,
) -> None:
    """All of it or nothing. The row lock keeps decisions by the generation before out until this is committed."""
    number = connection.scalar(select(in_force.c.number).with_for_update()) or 0
    if number + 1 != generation.number:
        raise GenerationMoved(f"generation {generation.number} was to follow, but {number} is in force: look again")
    for bundle in keep:
        keep_bundle(connection, bundle)
    connection.execute(generations.insert(), {"number": generation.number, "document": canonical(generation_document(generation))})
    connection.execute(update(in_force).values(number=generation.number))
    _remember_revisions(connection, generation)
    write_event(connection, event)
    _dispatch(connection, concerned, now_ms)


def write_event(connection: Connection, event: AuditEvent) -> None:
    """One more; in the transaction of what it tells of."""
    document = canonical(event_document(event))
    at, about_key = searched(event_document(event))
    row = {"at": at, "about_key": about_key, "document": document}
    inserted = connection.execute(audit_events.insert(), row).inserted_primary_key
    assert inserted is not None, "one row has a key"
    enlist(connection, EntryKind.AUDIT, str(inserted[0]), document)


def searched(document: dict[str, Any]) -> tuple[int, str]:
    """The columns an event is found by, `at` and `about_key`. They say nothing its document does not say."""
    return to_ms(datetime.fromisoformat(document["at"])), key(document["about"])


def read_generation(connection: Connection, number: int) -> Generation | None:
    """By its number."""
    document = connection.scalar(select(generations.c.document).where(generations.c.number == number))
    return None if document is None else generation_from_document(json.loads(document))


def list_revisions(connection: Connection, name: str) -> Sequence[BundleRevision]:
    """Newest first."""
    if not is_name(name):
        return []
    query = select(bundle_revisions.c.document).where(bundle_revisions.c.name == name).order_by(bundle_revisions.c.ord.desc())
    return [revision_from_document(json.loads(document)) for document in connection.scalars(query)]


def list_events(connection: Connection, *, about: str | None, limit: int) -> Sequence[AuditEvent]:
    """Newest first."""
    query = select(audit_events.c.document).order_by(audit_events.c.ord.desc()).limit(limit)
    if about is not None:
        query = query.where(audit_events.c.about_key == key(about))
    return [event_from_document(json.loads(document)) for document in connection.scalars(query)]


def _remember_revisions(connection: Connection, generation: Generation) -> None:
    names = [bundle.name for bundle in generation.bundles]
    rows = connection.execute(select(bundle_revisions.c.name, bundle_revisions.c.digest).where(bundle_revisions.c.name.in_(names)))
    known = {(row.name, row.digest) for row in rows}
    for bundle in generation.bundles:
        if (bundle.name, bundle.digest) not in known:
            revision = BundleRevision(bundle=bundle, at=generation.activated_at, by=generation.by, generation=generation.number)
            row = {"name": bundle.name, "digest": bundle.digest, "document": canonical(revision_document(revision))}
            connection.execute(bundle_revisions.insert(), row)


def _dispatch(connection: Connection, concerned: Concerned, now_ms: int) -> None:
    documents = connection.scalars(select(changes.c.document).where(changes.c.state == "open").order_by(changes.c.key)).all()
    known = [change_from_document(json.loads(document)) for document in documents]
    found = [dispatch for change in admitted_first(known) if (dispatch := concerned(change)) is not None]
    for start in range(0, len(found), _AT_ONCE):
        write_dispatches(connection, found[start : start + _AT_ONCE], now_ms=now_ms)
