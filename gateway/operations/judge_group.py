"""Judge a merge group: every change it would land, as each stands now, and the worst of their verdicts on the group's head.

A queue lands what it made of its members, a commit no change ever had; so the status goes there, under the target branch's
name. A group whose members cannot be told, or one of which cannot be judged, is an error, never a success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import structlog

from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import TrackedChange
from gateway.domain.report import context_for, pending_status, shortened, status_for, worst
from gateway.errors import UnknownThing
from gateway.operations.judge_change import JudgeChange
from gateway.storage import Storage
from policies import Json
from providers.errors import ProviderError, TemporaryError
from providers.vcs import ChangeKey, ChangeState, Forge, MergeGroup, MergeGroupEvent, Status, StatusState

log = structlog.get_logger()

WORKFLOW = "judge_group"
ASKED, ENDED = "asked", "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAnswer:
    """What was reported, and whether judging again may come to something else."""

    state: StatusState
    again: bool


def group_dispatch(connection: str, event: MergeGroupEvent, *, cause: str) -> Dispatch:
    """Have a group judged, or, where it has ended, no longer."""
    group = event.group
    workflow_id = id_of("group", connection, group.repository_id, group.head_sha)
    if event.ended:
        return Dispatch(id=id_of("group-ended", cause), workflow_id=workflow_id, workflow_type=None, signal=ENDED)
    input: Json = {"connection": connection, **asdict(group)}
    return Dispatch(id=id_of("group", cause), workflow_id=workflow_id, workflow_type=WORKFLOW, input=input, signal=ASKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeGroup:
    """Judges the members and reports on the group's head. Idempotent."""

    judge_change: JudgeChange
    forges: Mapping[str, Forge]
    storage: Storage
    clock: Clock
    public_url: str

    async def __call__(self, connection: str, group: MergeGroup, *, tries_left: int = 0) -> GroupAnswer:
        """tries_left: while there are some, a fault that may pass is pending: a queue throws out what is in error.

        Raises UnknownThing (no such connection), and what reporting raises.
        """
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        try:
            members = await forge.group_members(group)
            status = await self._status(connection, group, members)
            again = status.state in (StatusState.PENDING, StatusState.ERROR)
        except ProviderError as problem:
            members, status, again = (), self._fault(group, str(problem)), isinstance(problem, TemporaryError)
        if again and tries_left and status.state is StatusState.ERROR:
            status = replace(status, state=StatusState.PENDING)
        await forge.report(group.repository, group.head_sha, status)
        numbers = [key.number for key in members]
        log.info("merge group judged", repository=group.repository, sha=group.head_sha, state=status.state.value, members=numbers)
        return GroupAnswer(state=status.state, again=again)

    async def _status(self, connection: str, group: MergeGroup, members: Sequence[ChangeKey]) -> Status:
        tracked: list[TrackedChange] = []
        for key in members:
            await self.judge_change(connection, key)
            known = await self.storage.change(connection, key.repository, key.number)
            if known is None or known.state != ChangeState.OPEN or known.ref.target_branch != group.branch:
                return self._fault(group, f"change {key.number} is not an open change onto {group.branch}")
            tracked.append(known)
        standing = worst(tracked, group.branch, at=self.clock())
        decision = await self.storage.decision(standing.decision) if standing is not None and standing.decision else None
        if standing is None or decision is None:
            return pending_status(target_branch=group.branch, public_url=self.public_url, why="Waiting to be judged")
        return status_for(decision, target_branch=group.branch, public_url=self.public_url, override=standing.override)

    def _fault(self, group: MergeGroup, message: str) -> Status:
        return Status(
            context=context_for(group.branch),
            state=StatusState.ERROR,
            description=shortened(f"Undecided: {message}"),
            target_url=self.public_url.rstrip("/") + "/",
        )
