"""A submission: a workflow someone asks to run, from the question to the end of its run.

Its states are a line with exits: held → admitted → running → an end. What a target calls its own states is kept beside
the gateway's words for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import Decision, DecisionId
from policies.model import Json, Outcome
from providers.targets import Run, RunKey, RunState

SubmissionId = NewType("SubmissionId", str)
"""Unguessable, as a decision's."""

WORKFLOW = "forward_submission"


class SubmissionState(StrEnum):
    """How a submission stands. UNKNOWN: its run was deleted at the target, so nobody can say how it ended."""

    HELD = "held"
    ADMITTED = "admitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Nothing more happens by itself."""
        return self not in {SubmissionState.HELD, SubmissionState.ADMITTED, SubmissionState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which commit the workflow runs with, as the submitter says. connection: None = not said, or not to be told."""

    connection: str | None
    repository: str
    ref: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """The run as the target last told of it."""

    run: Run
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Who asked for it to be stopped. sent: the target has been told."""

    by: str
    at: datetime
    sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One submission.

    subject: the Actor document of who asks. via: `api`, or the comment's change. key: the caller's Idempotency-Key; asked:
    a digest of all that was asked, to tell the same question from another under its key.
    decisions: each judgement of it, in order. held_until: when waiting for people ends, None = when somebody ends it.
    run_key: the decision that first admitted it, fixed before the first attempt to start; tried_at: the last attempt.
    version: counts the times it was written.
    """

    id: SubmissionId
    at: datetime
    subject: Mapping[str, Json]
    via: str
    workflow: str
    target: str
    labels: Mapping[str, str]
    source: Source | None
    key: str | None
    asked: str
    state: SubmissionState
    decisions: tuple[DecisionId, ...]
    held_until: datetime | None = None
    run_key: RunKey | None = None
    tried_at: datetime | None = None
    run: SeenRun | None = None
    cancellation: Cancellation | None = None
    version: int = 1
    updated_at: datetime | None = field(default=None)

    @property
    def subject_ref(self) -> str:
        return str(self.subject["ref"])

    @property
    def workflow_id(self) -> str:
        """The id of the durable workflow that carries it."""
        return submission_workflow_id(self.id)

    @property
    def about(self) -> str:
        """What approvals of it are filed under."""
        return f"submission:{self.id}"


def target_ref(target: str) -> str:
    """What relations call a target."""
    return f"target:{target}"


def submission_workflow_id(id: SubmissionId) -> str:
    """One durable workflow for each."""
    return id_of("submission", id)


def judged(submission: Submission, decision: Decision) -> Submission:
    """The submission after one more judgement. Undecided leaves it where it stands.

    Waiting for people ends when the first judgement said it would: asking again does not give them more time.
    """
    after = replace(submission, decisions=(*submission.decisions, decision.id))
    match decision.outcome:
        case Outcome.ADMITTED:
            return replace(after, state=SubmissionState.ADMITTED, run_key=submission.run_key or RunKey(decision.id))
        case Outcome.HELD:
            return replace(after, state=SubmissionState.HELD, held_until=_end(submission.held_until, decision))
        case Outcome.DENIED:
            return replace(after, state=SubmissionState.DENIED)
        case Outcome.UNDECIDED:
            return submission


def seen(submission: Submission, run: Run, at: datetime) -> Submission:
    """The submission after the target told of its run."""
    state = _STATES.get(run.state, SubmissionState.RUNNING)
    return replace(submission, state=state, run=SeenRun(run=run, at=at))


def forward_dispatch(submission: Submission, cause: str | None = None) -> Dispatch:
    """Begin to carry it; or, once for each `cause`, wake what carries it."""
    return Dispatch(
        id=id_of("forward", submission.id, cause or "asked"),
        workflow_id=submission.workflow_id,
        workflow_type=WORKFLOW,
        input={
            "submission": submission.id,
            "held": submission.state is SubmissionState.HELD,
            "until": submission.held_until.isoformat() if submission.held_until else None,
            "watching": submission.run is not None,
        },
        signal=cause,
    )


_STATES = {
    RunState.SUCCEEDED: SubmissionState.SUCCEEDED,
    RunState.FAILED: SubmissionState.FAILED,
    RunState.CANCELLED: SubmissionState.CANCELLED,
}


def _end(before: datetime | None, decision: Decision) -> datetime | None:
    ends = [hold.expires_at for hold in decision.verdict.holds if hold.expires_at is not None]
    return min([end for end in (before, *ends) if end is not None], default=None)
