"""Submissions as they are kept, counted on the way: what each judgement came to, and how each ended. A wrapper of the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from gateway.domain.submission import Submission, SubmissionId, SubmissionState
from gateway.operations.measures import SUBMISSION_DECISIONS, SUBMISSIONS_ENDED
from gateway.storage.submissions import Judged, SubmissionFilter, SubmissionPage, Submissions


class CountedSubmissions:
    """What could not be kept is not counted, nor is what was kept already."""

    def __init__(self, kept: Submissions) -> None:
        self._kept = kept

    async def record(self, submission: Submission, judged: Judged, dispatches: Sequence[Dispatch]) -> Submission:
        recorded = await self._kept.record(submission, judged, dispatches)
        if recorded.id == submission.id:
            _count(recorded, judged)
        return recorded

    async def save(
        self,
        submission: Submission,
        *,
        judged: Judged | None = None,
        dispatches: Sequence[Dispatch] = (),
        event: AuditEvent | None = None,
    ) -> Submission:
        saved = await self._kept.save(submission, judged=judged, dispatches=dispatches, event=event)
        _count(saved, judged)
        return saved

    async def submission(self, id: SubmissionId) -> Submission | None:
        return await self._kept.submission(id)

    async def asked_under(self, subject: str, key: str) -> Submission | None:
        return await self._kept.asked_under(subject, key)

    async def list(self, filter: SubmissionFilter, *, limit: int = 50, cursor: str | None = None) -> SubmissionPage:
        return await self._kept.list(filter, limit=limit, cursor=cursor)

    async def open(self) -> Mapping[SubmissionState, int]:
        return await self._kept.open()


def _count(submission: Submission, judged: Judged | None) -> None:
    if judged is not None:
        SUBMISSION_DECISIONS.labels(judged.decision.outcome.value).inc()
    if submission.state.ended:
        SUBMISSIONS_ENDED.labels(submission.state.value).inc()
