"""Report: make the status on a commit say how that commit stands for a target branch.

Keyed by (connection, repository, sha, target branch), one workflow each, so that two changes with one head never race to
post. Posted only when it changed: forges keep a limited number of statuses for each name and commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import ChangeRef, TrackedChange
from gateway.domain.report import context_for, pending_status, status_for, worst
from gateway.errors import UnknownThing
from gateway.operations.measures import FORGERIES, STATUSES
from gateway.storage import PostedReport, Storage
from policies import Json
from providers.vcs import ChangeState, Forge, Status, StatusState

log = structlog.get_logger()

WORKFLOW = "report_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKey:
    """Where a status stands."""

    connection: str
    repository_id: str
    repository: str
    sha: str
    target_branch: str


def report_dispatch(change: ChangeRef, cause: str, *, check: bool = False) -> Dispatch:
    """Set the report going for where this change stands; once for each `cause` (a decision's id).

    check: somebody reported under our name, so look at what the forge shows rather than at what we remember.
    """
    key: dict[str, Json] = {
        "connection": change.connection,
        "repository_id": change.repository_id,
        "repository": change.repository,
        "sha": change.head_sha,
        "target_branch": change.target_branch,
    }
    return Dispatch(
        id=id_of("report", cause, change.head_sha, change.target_branch),
        workflow_id=id_of("report", change.connection, change.repository_id, change.head_sha, change.target_branch),
        workflow_type=WORKFLOW,
        input=key,
        signal="changed",
        payload={"check": check},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStatus:
    """Posts what is worst among all open changes with that head and target, if it is not what stands there already."""

    forges: Mapping[str, Forge]
    storage: Storage
    clock: Clock
    public_url: str

    async def __call__(self, key: ReportKey, *, check: bool = False) -> Status | None:
        """The status as it now stands; None when there is nothing to say. Raises UnknownThing, and what the forge raises.

        check: a status of that name from somebody else is a forgery; it is replaced.
        """
        forge = self.forges.get(key.connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{key.connection}'")
        status = await self._standing(key)
        if status is None:
            return None
        if await (self._shown(forge, key, status) if check else self._posted_already(key, status)):
            return status
        await forge.report(key.repository, key.sha, status)
        await self.storage.record_report(self._posted(key, status))
        STATUSES.labels(key.connection, status.state.value).inc()
        log.info("status posted", repository=key.repository, sha=key.sha, context=status.context, state=status.state.value)
        return status

    async def _posted_already(self, key: ReportKey, status: Status) -> bool:
        last = await self.storage.posted(key.connection, key.repository_id, key.sha, status.context)
        return last is not None and (last.state, last.description, last.target_url) == (status.state, status.description, status.target_url)

    async def _shown(self, forge: Forge, key: ReportKey, status: Status) -> bool:
        found = await forge.reported(key.repository, key.sha, status.context)
        if found is not None and not found.ours:
            FORGERIES.labels(key.connection).inc()
            log.warning("foreign status found under our name", repository=key.repository, sha=key.sha, context=status.context, by=found.by)
        return found is not None and found.ours and found.status == status

    async def _standing(self, key: ReportKey) -> Status | None:
        changes = await self.storage.changes_with_head(key.connection, key.repository_id, key.sha)
        standing = worst(changes, key.target_branch, at=self.clock())
        if standing is None:
            return await self._withdrawn(key, changes)
        decision = await self.storage.decision(standing.decision) if standing.decision else None
        if decision is None:
            return pending_status(target_branch=key.target_branch, public_url=self.public_url, why="Waiting to be judged")
        return status_for(decision, target_branch=key.target_branch, public_url=self.public_url, override=standing.override)

    async def _withdrawn(self, key: ReportKey, changes: Sequence[TrackedChange]) -> Status | None:
        """No open change is left: an approval that stands must not greet the next change with the same commit.

        Where one was merged the commit has landed, and what was said of it stays.
        """
        onto = [change for change in changes if change.ref.target_branch == key.target_branch]
        last = await self.storage.posted(key.connection, key.repository_id, key.sha, context_for(key.target_branch))
        if last is None or last.state != StatusState.SUCCESS or any(change.state == ChangeState.MERGED for change in onto):
            return None
        why = f"No open change brings this commit to {key.target_branch}"
        return pending_status(target_branch=key.target_branch, public_url=self.public_url, why=why)

    def _posted(self, key: ReportKey, status: Status) -> PostedReport:
        return PostedReport(
            connection=key.connection,
            repository_id=key.repository_id,
            sha=key.sha,
            context=context_for(key.target_branch),
            state=status.state.value,
            description=status.description,
            target_url=status.target_url,
            posted_at=self.clock(),
        )
