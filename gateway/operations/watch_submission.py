"""Watch: look how a run goes, pass on that it is to be stopped, and write down what the target says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from gateway.domain.clock import Clock
from gateway.domain.submission import SeenRun, Submission, SubmissionId, SubmissionState, seen
from gateway.operations.start_submission import known, renewable, target_of
from gateway.storage.submissions import Submissions
from providers.errors import AccessRefused, NotFound, Unsupported
from providers.targets import Run, RunState, Target

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSubmission:
    """One look. Written down only where something has changed."""

    submissions: Submissions
    targets: Mapping[str, Target]
    clock: Clock

    async def __call__(self, id: SubmissionId) -> Submission:
        """The submission as it then stands. Raises as targets do; credentials that have run out are waited for."""
        submission = await known(self.submissions, id)
        if submission.state.ended or submission.run is None:
            return submission
        target = target_of(self.targets, submission)
        try:
            return await self._written(submission, await self._looked(submission, target))
        except NotFound:
            return await self._lost(submission)
        except AccessRefused as problem:
            raise renewable(problem) from problem

    async def _looked(self, submission: Submission, target: Target) -> Run:
        assert submission.run is not None
        id = submission.run.run.id
        if submission.cancellation is None or submission.cancellation.sent:
            return await target.status(id)
        try:
            return await target.cancel(id)
        except Unsupported as problem:
            run = await target.status(id)
            return replace(run, message=f"it cannot be stopped: {problem}")

    async def _written(self, submission: Submission, run: Run) -> Submission:
        before, now = submission.run, self.clock()
        after = seen(submission, run, now)
        if after.cancellation is not None:
            after = replace(after, cancellation=replace(after.cancellation, sent=True))
        if before is not None and before.run == run and after.cancellation == submission.cancellation:
            return submission
        return await self._save(after)

    async def _lost(self, submission: Submission) -> Submission:
        assert submission.run is not None
        gone = replace(submission.run.run, state=RunState.UNKNOWN, message="the target does not know this run any more")
        return await self._save(replace(submission, state=SubmissionState.UNKNOWN, run=SeenRun(run=gone, at=self.clock())))

    async def _save(self, submission: Submission) -> Submission:
        if submission.state.ended:
            log.info("submission ended", submission=submission.id, state=submission.state.value)
        return await self.submissions.save(replace(submission, updated_at=self.clock()))
