"""Start: ask the policies once more, at the moment of the start, and start the run once.

The run key is the decision that first admitted the submission, kept before the first attempt; so however often this is
tried, by whichever process, and whatever the target lost of its answers, one run comes of it. What was admitted and is
not any more is not started; a start that may still be on its way is waited for first, since it was admitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from gateway.domain.clock import Clock
from gateway.domain.record import Decision
from gateway.domain.submission import Submission, SubmissionId, SubmissionState, judged, seen
from gateway.errors import UnknownThing
from gateway.operations.judge_submission import JudgeSubmission
from gateway.operations.seal_record import seal_dispatch
from gateway.storage.submissions import Judged, Submissions
from policies import Outcome
from providers.errors import AccessRefused, PermanentError, TemporaryError
from providers.targets import Run, Target

log = structlog.get_logger()

_ON_ITS_WAY = timedelta(seconds=150)
"""Longer than any target's timeout: after that a start whose answer was lost has arrived, or never will."""
_RENEWAL = 60.0
"""Seconds between two tries while somebody has to renew credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSubmission:
    """One attempt. Idempotent: a submission that has its run, or has ended, stays as it is."""

    judge: JudgeSubmission
    submissions: Submissions
    targets: Mapping[str, Target]
    clock: Clock

    async def __call__(self, id: SubmissionId, *, last: bool = False) -> Submission:
        """The submission as it then stands. last: waiting for people has ended, so one that is held still has expired.

        Raises TemporaryError (again later) and PermanentError (somebody has to change something), StorageError.
        """
        submission = await known(self.submissions, id)
        if submission.state.ended or submission.run is not None:
            return submission
        run = await self._found(submission)
        if run is not None:
            return await self._running(submission, run)
        if submission.cancellation is not None:
            return await self._ended(submission, SubmissionState.CANCELLED)
        its = await self.judge(submission)
        return await self._act(submission, its, last)

    async def _act(self, submission: Submission, its: Judged, last: bool) -> Submission:
        decision = its.decision
        if decision.outcome is Outcome.UNDECIDED:
            await self._save(judged(submission, decision), its)
            raise _undecided(decision)
        if decision.outcome is not Outcome.ADMITTED:
            self._nothing_on_its_way(submission)
        after = judged(submission, decision)
        if after.state is SubmissionState.HELD and last:
            after = replace(after, state=SubmissionState.EXPIRED)
        if after.state is SubmissionState.ADMITTED:
            after = replace(after, tried_at=self.clock())
        after = await self._save(after, its)
        log.info("submission judged again", submission=after.id, state=after.state.value, decision=decision.id)
        return await self._start(after) if after.state is SubmissionState.ADMITTED else after

    async def _start(self, submission: Submission) -> Submission:
        assert submission.run_key is not None
        input = await self.judge.input_of(submission)
        try:
            run = await self._target(submission).start(submission.workflow, submission.run_key, _handed_over(submission, input))
        except AccessRefused as problem:
            raise renewable(problem) from problem
        return await self._running(submission, run)

    async def _found(self, submission: Submission) -> Run | None:
        """The run of an earlier attempt whose end nobody recorded."""
        if submission.run_key is None or submission.tried_at is None:
            return None
        try:
            return await self._target(submission).find(submission.workflow, submission.run_key)
        except AccessRefused as problem:
            raise renewable(problem) from problem

    def _nothing_on_its_way(self, submission: Submission) -> None:
        """Raises TemporaryError as long as an attempt may yet turn out to have started it."""
        if submission.tried_at is None:
            return
        left = submission.tried_at + _ON_ITS_WAY - self.clock()
        if left > timedelta():
            message = "it is not admitted any more, but an earlier start may still be on its way"
            raise TemporaryError(message, retry_after=left.total_seconds())

    async def _ended(self, submission: Submission, state: SubmissionState) -> Submission:
        self._nothing_on_its_way(submission)
        return await self._save(replace(submission, state=state))

    async def _running(self, submission: Submission, run: Run) -> Submission:
        log.info("run started", submission=submission.id, target=submission.target, run=run.id, state=run.state.value)
        return await self._save(seen(submission, run, self.clock()))

    async def _save(self, submission: Submission, its: Judged | None = None) -> Submission:
        now = self.clock()
        dispatches = [seal_dispatch(now)] if its is not None else []
        return await self.submissions.save(replace(submission, updated_at=now), judged=its, dispatches=dispatches)

    def _target(self, submission: Submission) -> Target:
        return target_of(self.targets, submission)


async def known(submissions: Submissions, id: SubmissionId) -> Submission:
    """Raises UnknownThing."""
    submission = await submissions.submission(id)
    if submission is None:
        raise UnknownThing(f"no submission has the id '{id}'")
    return submission


def target_of(targets: Mapping[str, Target], submission: Submission) -> Target:
    """Raises PermanentError for a target that is configured no more."""
    target = targets.get(submission.target)
    if target is None:
        raise PermanentError(f"target '{submission.target}' is not configured any more", advice="put it back under targets: in admit.yaml")
    return target


def renewable(problem: AccessRefused) -> TemporaryError:
    """Credentials that have run out are renewed, and the run is the same afterwards: worth waiting for."""
    return TemporaryError(str(problem), retry_after=_RENEWAL, advice=problem.advice)


def _handed_over(submission: Submission, input: Mapping[str, object]) -> Mapping[str, object]:
    """What the target is given. A signed receipt of the decision would be added here."""
    return input


def _undecided(decision: Decision) -> TemporaryError | PermanentError:
    message = f"it could not be decided whether it may still be started: {decision.verdict.reason}"
    if decision.verdict.may_change_by_itself:
        return TemporaryError(message)
    return PermanentError(message, advice="somebody has to change something before it can be decided; then revive it")
