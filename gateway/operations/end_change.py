"""A change that is no longer open: kept as that, its reports set going once more, and its merge held against its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.domain.admission import tracked_change
from gateway.domain.audit import AuditEvent
from gateway.domain.bypass import bypass_of
from gateway.domain.clock import Clock
from gateway.domain.code_owners import touches_code_owners
from gateway.domain.dispatch import Dispatch
from gateway.domain.landing import Landing, landing_of
from gateway.domain.override import MERGED_UNDER_OVERRIDE
from gateway.domain.record import ChangeRef, TrackedChange
from gateway.operations.measures import BYPASSES, OVERRIDDEN_MERGES
from gateway.operations.own_policies import own_policies_dispatch, touches_own_policies
from gateway.operations.report_status import report_dispatch
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage
from providers.vcs import Change, ChangeKey, ChangeState

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndChange:
    """Records how a change ended."""

    storage: Storage
    clock: Clock

    async def as_read(self, change: Change, before: TrackedChange | None) -> None:
        """Closed or merged, as its facts say. before: what was known of it."""
        landing = landing_of(change, before, at=self.clock())
        await self.as_known(tracked_change(change), _after_merge(change), await self._bypass(change), landing)

    async def as_known(
        self, tracked: TrackedChange, others: Sequence[Dispatch] = (), event: AuditEvent | None = None, landing: Landing | None = None
    ) -> None:
        """others: what its end means to other changes. event: what of it belongs on record."""
        reports = await reports_of(self.storage, tracked.ref, f"{tracked.state}:{tracked.ref.url}:{self.clock().timestamp()}")
        await self.storage.track_change(tracked, [*reports, *others, seal_dispatch(self.clock())], event=event, landing=landing)

    async def as_gone(self, connection: str, key: ChangeKey) -> None:
        """Deleted, or hidden from us: either way nothing can be said of it any more, and it counts for nothing."""
        log.info("change is gone", connection=connection, repository=key.repository, number=key.number)
        known = await self.storage.change(connection, key.repository, key.number)
        if known is not None and known.state == ChangeState.OPEN:
            await self.as_known(replace(known, state=ChangeState.CLOSED.value))

    async def _bypass(self, change: Change) -> AuditEvent | None:
        first = await self.storage.generation_numbered(1)
        before = await self.storage.change(change.connection, change.repository.name, change.number)
        event = bypass_of(change, before, since=first.activated_at if first else None, at=self.clock())
        if event is not None:
            (OVERRIDDEN_MERGES if event.what == MERGED_UNDER_OVERRIDE else BYPASSES).labels(change.connection).inc()
            log.warning("merged without an admitted decision", what=event.what, about=event.about, by=event.who, **event.details)
        return event


async def reports_of(storage: Storage, ref: ChangeRef, cause: str) -> list[Dispatch]:
    """A report for where the change stands now, and for where it stood before: other changes may share that commit."""
    before = await storage.change(ref.connection, ref.repository, ref.number)
    places = {(ref.head_sha, ref.target_branch): ref}
    if before is not None:
        places.setdefault((before.ref.head_sha, before.ref.target_branch), before.ref)
    return [report_dispatch(place, cause) for place in places.values()]


def _after_merge(change: Change) -> list[Dispatch]:
    """A merge into `.admit/` or CODEOWNERS may concern every change onto that branch; not every forge's hook tells of the push."""
    if change.state is not ChangeState.MERGED or not (touches_own_policies(change) or touches_code_owners(change)):
        return []
    repository = change.repository
    place = {"connection": change.connection, "repository_id": repository.id, "repository": repository.name}
    return [own_policies_dispatch(**place, branch=change.target_branch, cause=f"merged:{change.url}:{change.head.sha}")]
