"""Steer a submission: ask for it to be stopped."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.domain.people import Speaker
from gateway.domain.submission import Cancellation, Submission, SubmissionId, forward_dispatch
from gateway.errors import OutOfPlace, SubmissionMoved
from gateway.operations.seal_record import seal_dispatch
from gateway.operations.start_submission import known
from gateway.storage.submissions import Submissions
from providers.errors import TemporaryError

_REPEATS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSubmission:
    """Writes down that it is to end, and wakes what carries it: what is held or waits ends, a run is asked to stop."""

    submissions: Submissions
    clock: Clock

    async def __call__(self, id: SubmissionId, by: Speaker) -> Submission:
        """As it stands. Asking twice is asking once. Raises UnknownThing, OutOfPlace where it has ended, TemporaryError."""
        for _ in range(_REPEATS):
            with suppress(SubmissionMoved):  # what watches its run was faster
                return await self._cancelled(id, by)
        raise TemporaryError(f"submission {id} is being written all the time")

    async def _cancelled(self, id: SubmissionId, by: Speaker) -> Submission:
        submission = await known(self.submissions, id)
        if submission.cancellation is not None:
            return submission
        if submission.state.ended:
            raise OutOfPlace(f"submission {id} has ended: {submission.state.value}")
        now = self.clock()
        asked = replace(submission, cancellation=Cancellation(by=by.ref, at=now), updated_at=now)
        event = AuditEvent(
            at=now, who=by.ref, what="submission.cancelled", about=submission.about, details={"workflow": submission.workflow}
        )
        return await self.submissions.save(asked, event=event, dispatches=[forward_dispatch(asked, "cancelled"), seal_dispatch(now)])
