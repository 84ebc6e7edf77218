"""`SqlStorage`: the port over one database. Each method is one unit of work; the units stand in the modules beside this one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.audit import AuditEvent
from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.domain.landing import Landing
from gateway.domain.record import Decision, DecisionId, Generation, Override, TrackedChange
from gateway.storage import checks
from gateway.storage.database import Database
from gateway.storage.dispatches import write_dispatches
from gateway.storage.migrations import require_current
from gateway.storage.port import (
    BundleRevision,
    Concerned,
    DecisionFilter,
    DecisionPage,
    PostedReport,
    Seen,
    StoredBundle,
    StoredToken,
    nobody,
)
from gateway.storage.sql import (
    approvals,
    blobs,
    bundle_history,
    changes,
    decisions,
    deliveries,
    erasing,
    generations,
    listing,
    merges,
    recordings,
    tokens,
)
from policies.canonical import Kind
from policies.model import Approval, Digest


class SqlStorage:
    """SQLite, PostgreSQL or MySQL. Closing it closes the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_delivery(self, delivery: Delivery, dispatches: Sequence[Dispatch]) -> bool:
        return await self._database.write_each(_record_deliveries, deliveries.Arrived(delivery=delivery, dispatches=dispatches))

    async def delivery(self, connection: str, id: str) -> Delivery | None:
        return await self._database.read(lambda c: deliveries.read_delivery(c, connection, id))

    async def record_dispatches(self, dispatches: Sequence[Dispatch]) -> None:
        await self._database.write(lambda c: write_dispatches(c, dispatches, now_ms=_now_ms()))

    async def activate(self, bundles: Sequence[StoredBundle], *, at: datetime, by: str) -> Generation:
        ordered = checks.by_name(bundles)
        return await self._database.write(lambda c: generations.activate(c, ordered, at=at, by=by))

    async def put_in_force(
        self, generation: Generation, *, keep: Sequence[StoredBundle], event: AuditEvent, concerned: Concerned = nobody
    ) -> None:
        checks.in_order(generation)

        def unit(c: Connection) -> None:
            bundle_history.put_in_force(c, generation, keep=keep, event=event, concerned=concerned, now_ms=_now_ms())

        await self._database.write(unit)

    async def generation(self) -> Generation | None:
        return await self._database.read(generations.current_generation)

    async def generation_numbered(self, number: int) -> Generation | None:
        return await self._database.read(lambda c: bundle_history.read_generation(c, number))

    async def revisions(self, name: str) -> Sequence[BundleRevision]:
        return await self._database.read(lambda c: bundle_history.list_revisions(c, name))

    async def audit_events(self, *, about: str | None = None, limit: int = 200) -> Sequence[AuditEvent]:
        return await self._database.read(lambda c: bundle_history.list_events(c, about=about, limit=limit))

    async def record_event(self, event: AuditEvent, dispatches: Sequence[Dispatch] = ()) -> None:
        def unit(c: Connection) -> None:
            bundle_history.write_event(c, event)
            write_dispatches(c, dispatches, now_ms=_now_ms())

        await self._database.write(unit)

    async def bundle_files(self, digest: Digest) -> Mapping[str, bytes] | None:
        if not checks.digest_like(digest):
            return None
        return await self._database.read(lambda c: generations.read_bundle(c, digest))

    async def keep_bundle(self, bundle: StoredBundle) -> None:
        await self._database.write(lambda c: generations.keep_bundle(c, bundle))

    async def record_decision(
        self,
        decision: Decision,
        *,
        facts: bytes,
        change: TrackedChange | None,
        generation: int | None,
        dispatches: Sequence[Dispatch] = (),
        seen: Seen | None = None,
        document: bytes | None = None,
    ) -> Decision:
        checks.storable(decision, facts)
        recording = recordings.Recording(
            decision=decision,
            row=decisions.row_of(decision, facts, document),
            facts=facts,
            change=change,
            generation=generation,
            dispatches=dispatches,
            seen=seen,
        )
        return await self._database.write_each(_record_decisions, recording)

    async def track_change(
        self,
        change: TrackedChange,
        dispatches: Sequence[Dispatch] = (),
        *,
        event: AuditEvent | None = None,
        landing: Landing | None = None,
    ) -> None:
        def unit(c: Connection) -> None:
            changes.track_change(c, change)
            if landing is not None:
                merges.put_landing(c, landing)
            if event is not None:
                bundle_history.write_event(c, event)
            write_dispatches(c, dispatches, now_ms=_now_ms())

        await self._database.write(unit)

    async def set_override(
        self, change: TrackedChange, override: Override | None, *, event: AuditEvent, dispatches: Sequence[Dispatch]
    ) -> TrackedChange | None:
        def unit(c: Connection) -> TrackedChange | None:
            overridden = changes.set_override(c, change, override)
            if overridden is not None:
                bundle_history.write_event(c, event)
                write_dispatches(c, dispatches, now_ms=_now_ms())
            return overridden

        return await self._database.write(unit)

    async def decision(self, id: DecisionId) -> Decision | None:
        return await self._database.read(lambda c: decisions.read_decision(c, id))

    async def decisions(self, filter: DecisionFilter, *, limit: int = 50, cursor: str | None = None) -> DecisionPage:
        return await self._database.read(lambda c: listing.list_decisions(c, filter, limit=limit, cursor=cursor))

    async def blob(self, digest: Digest) -> bytes | None:
        if not checks.digest_like(digest):
            return None
        return await self._database.read(lambda c: blobs.read_blob(c, digest))

    async def blobs_of(self, kind: Kind, *, after: str = "", limit: int = 200) -> Sequence[tuple[Digest, bytes]]:
        return await self._database.read(lambda c: erasing.blobs_of(c, kind, after=after, limit=limit))

    async def old_facts(self, before: datetime, *, after: int = 0, limit: int = 200) -> tuple[Sequence[Digest], int | None]:
        return await self._database.read(lambda c: erasing.old_facts(c, before, after=after, limit=limit))

    async def old_deliveries(self, before: datetime, *, limit: int = 200) -> Sequence[Digest]:
        return await self._database.read(lambda c: erasing.old_deliveries(c, before, limit=limit))

    async def erase_blobs(self, digests: Sequence[Digest], *, why: str, event: AuditEvent) -> None:
        await self._database.write(lambda c: erasing.erase_blobs(c, digests, why=why, event=event))

    async def change(self, connection: str, repository: str, number: int) -> TrackedChange | None:
        return await self._database.read(lambda c: changes.read_change(c, connection, repository, number))

    async def changes(self, *, state: str | None = "open", limit: int = 200) -> Sequence[TrackedChange]:
        return await self._database.read(lambda c: changes.list_changes(c, state=state, limit=limit))

    async def changes_with_head(self, connection: str, repository_id: str, sha: str) -> Sequence[TrackedChange]:
        return await self._database.read(lambda c: changes.changes_with_head(c, connection, repository_id, sha))

    async def landings(self, repository: str, sha: str) -> Sequence[Landing]:
        return await self._database.read(lambda c: merges.list_landings(c, repository, sha))

    async def record_approval(self, about: str, approval: Approval, dispatches: Sequence[Dispatch], *, event: AuditEvent) -> None:
        def unit(c: Connection) -> None:
            approvals.add_approval(c, about, approval)
            bundle_history.write_event(c, event)
            write_dispatches(c, dispatches, now_ms=_now_ms())

        await self._database.write(unit)

    async def approvals(self, about: str) -> tuple[Approval, ...]:
        return await self._database.read(lambda c: approvals.list_approvals(c, about))

    async def posted(self, connection: str, repository_id: str, sha: str, context: str) -> PostedReport | None:
        return await self._database.read(lambda c: changes.read_report(c, connection, repository_id, sha, context))

    async def record_report(self, report: PostedReport) -> None:
        await self._database.write(lambda c: changes.put_report(c, report))

    async def add_token(self, token: StoredToken) -> None:
        checks.nameable(token)
        await self._database.write(lambda c: tokens.put_token(c, token))

    async def create_token(self, token: StoredToken, *, event: AuditEvent) -> bool:
        checks.nameable(token)
        return await self._database.write(lambda c: tokens.create_token(c, token, event))

    async def revoke_token(self, name: str, *, at: datetime, event: AuditEvent) -> StoredToken | None:
        return await self._database.write(lambda c: tokens.revoke_token(c, name, at, event))

    async def tokens(self) -> Sequence[StoredToken]:
        return await self._database.read(tokens.list_tokens)

    async def token(self, hash: str) -> StoredToken | None:
        return await self._database.read(lambda c: tokens.read_token(c, hash))

    async def has_tokens(self) -> bool:
        return await self._database.read(tokens.has_tokens)

    async def ready(self) -> None:
        await self._database.read(require_current)

    async def close(self) -> None:
        await self._database.close()


def _record_deliveries(connection: Connection, arrived: Sequence[deliveries.Arrived]) -> Sequence[bool]:
    return deliveries.record_deliveries(connection, arrived, now_ms=_now_ms())


def _record_decisions(connection: Connection, given: Sequence[recordings.Recording]) -> Sequence[Decision]:
    return recordings.record_decisions(connection, given, now_ms=_now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
