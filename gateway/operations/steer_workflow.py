"""The right to steer a workflow, and its trace: who retried, gave up, cancelled or revived what, on record before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.domain.record import repository_ref
from gateway.domain.rights import STEER, Reach
from gateway.domain.submission import SubmissionId, target_ref
from gateway.durable import DurableCore, UnknownWorkflow
from gateway.operations.rights import Rights
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage, StoredToken
from gateway.storage.submissions import Submissions
from policies import Json

_NOBODYS = Reach(otherwise="it is about no change and no submission that is known")
_ALL = Reach(otherwise="it is about all dead letters at once")


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerWorkflow:
    """Asked before each act; the act itself is the durable core's."""

    rights: Rights
    storage: Storage
    submissions: Submissions
    core: DurableCore
    clock: Clock

    async def __call__(
        self, id: str | None, run_id: str | None, *, what: str, about: str, by: StoredToken, details: Mapping[str, Json]
    ) -> None:
        """Put on record that `what` is done to this workflow, None = to all of a kind at once. Raises as `Rights`."""

        async def reach() -> Reach:
            return _ALL if id is None else await self._reach(id, run_id)

        granted = await self.rights(STEER, by, reach)
        event = AuditEvent(at=self.clock(), who=by.name, what=what, about=about, details={**details, **granted.details()})
        await self.storage.record_event(event, [seal_dispatch(event.at)])

    async def _reach(self, id: str, run_id: str | None) -> Reach:
        """The repository of its change, or the target of its submission: its input says which."""
        try:
            run = await self.core.describe(id, run_id)
            begun = (await self.core.history(id, run.run_id))[0].attributes.get("input")
        except UnknownWorkflow:
            return _NOBODYS
        match begun:
            case {"connection": str(connection), "repository_id": str(repository_id)}:
                return Reach(objects=(repository_ref(connection, repository_id),))
            case {"connection": str(connection), "repository": str(repository), "number": int(number)}:
                change = await self.storage.change(connection, repository, number)
                return _NOBODYS if change is None else Reach(objects=(change.ref.repository_ref,))
            case {"submission": str(submission_id)}:
                submission = await self.submissions.submission(SubmissionId(submission_id))
                return _NOBODYS if submission is None else Reach(objects=(target_ref(submission.target),))
        return _NOBODYS
