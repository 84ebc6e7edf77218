"""Dropping bytes from the record while their digests stay: a tombstone says when and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, select, update

from gateway.domain.audit import AuditEvent
from gateway.domain.erasure import ABOUT, Acts, acts_of
from gateway.domain.record import DecisionId
from gateway.storage.columns import to_ms
from gateway.storage.documents import change_from_document
from gateway.storage.keys import key
from gateway.storage.sql.blobs import ERASED, read_blobs
from gateway.storage.sql.bundle_history import write_event
from gateway.storage.sql.tables import audit_events, blobs, changes, decisions, deliveries
from policies.canonical import Kind, canonical
from policies.model import Digest, rfc3339

_AT_ONCE = 200


def blobs_of(connection: Connection, kind: Kind, *, after: str, limit: int) -> list[tuple[Digest, bytes]]:
    """Those of a kind that follow this digest, in order, whole."""
    query = select(blobs.c.digest).where(blobs.c.kind == kind, blobs.c.part == 0, blobs.c.digest > after)
    names = list(connection.scalars(query.order_by(blobs.c.digest).limit(limit)))
    found = read_blobs(connection, names)
    return [(Digest(name), found[name]) for name in names if name in found]


def old_facts(connection: Connection, before: datetime, *, after: int, limit: int) -> tuple[list[Digest], int | None]:
    """Facts of decisions older than that, but for those in force for open changes; and where to go on, None = that was all."""
    kept = and_(blobs.c.digest == decisions.c.facts_digest, blobs.c.part == 0, blobs.c.kind == "facts")
    query = select(decisions.c.ord, decisions.c.id, decisions.c.facts_digest).join_from(decisions, blobs, kept)
    rows = connection.execute(
        query.where(decisions.c.at < to_ms(before), decisions.c.ord > after).order_by(decisions.c.ord).limit(limit)
    ).all()
    if not rows:
        return [], None
    needed = _in_force(connection)
    return [Digest(row.facts_digest) for row in rows if row.id not in needed], rows[-1].ord


def old_deliveries(connection: Connection, before: datetime, *, limit: int) -> list[Digest]:
    """Bodies of deliveries received before then."""
    kept = and_(blobs.c.digest == deliveries.c.body, blobs.c.part == 0, blobs.c.kind == "delivery")
    query = select(deliveries.c.body).join_from(deliveries, blobs, kept).where(deliveries.c.received_at < to_ms(before))
    return [Digest(body) for body in connection.scalars(query.limit(limit))]


def erase_blobs(connection: Connection, digests: Sequence[Digest], *, why: str, event: AuditEvent) -> None:
    """Their bytes are gone for good; with the audit event of it."""
    tombstone = canonical({"why": why, "at": rfc3339(event.at)})
    wanted = list(dict.fromkeys(digests))
    for start in range(0, len(wanted), _AT_ONCE):
        some = blobs.c.digest.in_(wanted[start : start + _AT_ONCE])
        connection.execute(delete(blobs).where(some, blobs.c.part > 0))
        connection.execute(update(blobs).where(some).values(kind=ERASED, content=tombstone, packing=None))
    write_event(connection, event)


def read_acts(connection: Connection) -> Acts:
    """What the audit says was dropped on purpose."""
    query = select(audit_events.c.document).where(audit_events.c.about_key == key(ABOUT)).order_by(audit_events.c.ord)
    return acts_of(json.loads(document) for document in connection.scalars(query))


def _in_force(connection: Connection) -> set[DecisionId | None]:
    documents = connection.scalars(select(changes.c.document).where(changes.c.state == "open"))
    return {change_from_document(json.loads(document)).decision_id for document in documents}
