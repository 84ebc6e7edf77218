"""The port to the durable core: workflows that outlive the process, and what they may await.

A workflow is a pure coroutine `async def name(ctx, input) -> Json`: it awaits only what `ctx` offers, so that
running it again over its history takes the same path. It names activities, it never imports them. The same file runs
on every engine. Times are aware; payloads are JSON of at most 256 kB (pass digests of blobs).

What starts or wakes a workflow from outside is a `Dispatch` (gateway.domain): storage writes it in the caller's own
transaction, and the engine turns it into a start or a signal, exactly once by its id. `wake` says that there is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeAlias
from uuid import UUID

from gateway.domain.dispatch import Dispatch
from gateway.errors import PayloadTooLarge as PayloadTooLarge
from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """When an activity that failed with a TemporaryError is tried again.

    delays: seconds before the 2nd, 3rd … attempt; the last repeats while `repeat_last_for` seconds since the first
    attempt have not passed (0 = no repetition). jitter: fraction of each delay, either way.
    retry_after_limit: a `Retry-After` is honoured up to this many seconds; so is the minute that a 429 without one, or an
    attempt that ran out of its time, waits at least.
    """

    name: str
    delays: tuple[float, ...]
    repeat_last_for: float = 0.0
    jitter: float = 0.2
    retry_after_limit: float = 3600.0


PROMPT = RetrySchedule(name="prompt", delays=(1, 5, 15, 60, 120), repeat_last_for=24 * 3600)
"""Judging and reporting: soon, then every 2 minutes for a day."""
PATIENT = RetrySchedule(name="patient", delays=(5, 300, 1800, 7200, 18000, 36000, 36000))
"""Outgoing deliveries: 8 attempts over about 27.6 h (Svix's published schedule)."""
ONCE = RetrySchedule(name="once", delays=())
"""No second attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A message to a workflow, consumed in the order of arrival."""

    name: str
    payload: Json


class WorkflowContext(Protocol):
    """All a workflow may use. Deterministic: nothing here reads a clock or a socket while history is replayed."""

    @property
    def workflow_id(self) -> str: ...

    @property
    def run_id(self) -> str: ...

    async def activity(
        self, name: str, *args: Json, schedule: RetrySchedule = PROMPT, timeout: float = 60.0, heartbeat: float | None = None
    ) -> Json:
        """Run the activity registered under this name; its result. `timeout`: seconds for one attempt; `heartbeat`:
        seconds an attempt may stay silent (see `heartbeat()`), None = as long as the timeout.

        A TemporaryError is retried by the schedule; a PermanentError, an exhausted schedule or an operator's
        "give up" raises ActivityFailed here. Each attempt is an event. At least once: the activity is idempotent by key.
        """

    async def sleep(self, seconds: float) -> None:
        """A durable timer."""

    async def wait_signal(self, *names: str, timeout: float | None = None) -> Signal | None:
        """The next unconsumed signal of one of these names (none named = any), or None after `timeout` seconds.

        With `timeout=0`: what has arrived already, without waiting.
        """

    async def gather(self, *branches: Coroutine[Any, Any, Json]) -> list[Json]:
        """Run the branches side by side; their results in order. One failing raises after all have ended."""

    def now(self) -> datetime:
        """The time of the event being processed; the same on replay."""

    def uuid(self) -> UUID:
        """Random, and the same on replay."""

    def version(self, marker: str, newest: int) -> int:
        """Which version of changed code this run takes: `newest` for a run that has not passed here yet, what it took
        before otherwise, 0 for one that passed before the marker existed."""

    def continue_as_new(self, input: Json) -> NoReturn:
        """End this run and go on with a fresh history and this input; unconsumed signals go along."""


Workflow: TypeAlias = Callable[[WorkflowContext, Json], Coroutine[Any, Any, Json]]
Activity: TypeAlias = Callable[..., Awaitable[Json]]


class ActivityFailed(Exception):
    """Raised in a workflow: the activity was refused, gave up, or ran out of attempts.

    kind: the exception's class name at the last attempt; message: its text.
    """

    def __init__(self, activity: str, kind: str, message: str, *, permanent: bool) -> None:
        super().__init__(f"{activity}: {kind}: {message}")
        self.activity = activity
        self.kind = kind
        self.message = message
        self.permanent = permanent
        self.commands: tuple[str, ...] = ()
        """Which commands of the history it was; set by the engine, so that a revival knows where to go on."""


class DurableError(Exception):
    """Base of what this port's own methods raise."""


class UnknownWorkflow(DurableError):
    """No workflow of this type, or none of this id."""


class NonDeterministic(DurableError):
    """History and code disagree; the message has both sides."""


class NotDead(DurableError):
    """There is nothing to revive: the run did not fail, or a newer run of its id is going on."""


class EngineFull(DurableError):
    """Back-pressure: come back in `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WorkflowStatus(StrEnum):
    READY = "ready"
    RUNNING = "running"
    PARKED = "parked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in {WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run as seen from outside. `wake_at`: when a parked one goes on by itself, at the earliest.

    error: why it failed; of one that is parked, what the attempt failed of that is to be made again.
    """

    workflow_id: str
    run_id: str
    type: str
    status: WorkflowStatus
    started_at: datetime
    ended_at: datetime | None
    wake_at: datetime | None
    result: Json
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One line of a history. `sequence` counts from 1 without gaps; `kind` names what `attributes` holds.

    text: the attributes as they are written down, where they have been already.
    """

    sequence: int
    at: datetime
    kind: str
    attributes: Mapping[str, Json]
    text: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """One try of an activity that came to nothing. number: counts from 1 for each activity of the run."""

    at: datetime
    activity: str
    number: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A run that failed and has not been revived: what, why, and every attempt.

    kind, message: why the workflow failed. activity, arguments: what it failed at, None where it failed by itself.
    """

    workflow_id: str
    run_id: str
    type: str
    failed_at: datetime
    kind: str
    message: str
    activity: str | None
    arguments: tuple[Json, ...]
    attempts: tuple[FailedAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """How the work stands. waiting: dispatches and runs nobody has taken though they are due; oldest_due_at: since when
    the first of them is. parked: waiting for a timer, a retry, a signal or the time of its first step."""

    waiting: int
    oldest_due_at: datetime | None
    running: int
    parked: int
    dead_letters: int


class DurableCore(Protocol):
    """Runs workflows to their end through crashes and restarts.

    What is about one workflow is exact. `list`, `dead_letters` and `queue` may come from an index that lags a moment
    behind, and `retire` may leave the forgetting to be done in the background.
    """

    async def start(self) -> None:
        """Begin to take work (also a dead process's). Nothing runs before."""

    async def stop(self, *, grace: float = 10.0) -> None:
        """Take no more, let activities end for `grace` seconds, hand the rest over."""

    async def alive(self) -> None:
        """Returns if work is being taken. Raises DurableError when it is not: not started, stopped, or its loop has died."""

    def wake(self) -> None:
        """Dispatches have been committed; look now rather than at the next poll. Harmless if there are none."""

    async def dispatch(self, dispatch: Dispatch) -> None:
        """Commit this dispatch by itself and wake: start or signal, once per `dispatch.id`.

        Raises UnknownWorkflow, PayloadTooLarge, EngineFull.
        """

    async def result(self, workflow_id: str, *, timeout: float) -> WorkflowRun:
        """The newest run of this id once it has ended, or as it stands after `timeout` seconds. Raises UnknownWorkflow."""

    async def describe(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        """A run (the newest if not named) as it stands. Raises UnknownWorkflow."""

    async def history(self, workflow_id: str, run_id: str | None = None) -> Sequence[HistoryEvent]:
        """All events of a run, in order. Raises UnknownWorkflow."""

    async def replay(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        """Re-execute the history against today's code, touching nothing. Raises NonDeterministic, UnknownWorkflow."""

    async def list(
        self, *, type: str | None = None, status: WorkflowStatus | None = None, without: Collection[str] = (), limit: int = 100
    ) -> Sequence[WorkflowRun]:
        """Newest first; of this type, or of none of those it goes `without`."""

    async def cancel(self, workflow_id: str, *, by: str = "an operator") -> None:
        """End the newest run as cancelled; its running activity is told. An ended run stays as it ended.

        Signals it has not consumed go with it. Raises UnknownWorkflow.
        """

    async def retry(self, workflow_id: str, *, activity: str | None = None, by: str = "an operator") -> None:
        """Try now what waits for its next attempt (of this activity, or all). Nothing waits: nothing happens."""

    async def reschedule(self, workflow_id: str, schedule: RetrySchedule, *, activity: str | None = None, by: str = "an operator") -> None:
        """From now on another schedule: what waits is tried now, and again by the new one; failures so far count."""

    async def give_up(self, workflow_id: str, *, activity: str | None = None, by: str = "an operator") -> None:
        """Do not try again: the activity fails with the kind `GivenUp`, and the workflow decides what that means."""

    async def dead_letters(self, *, type: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        """Runs that failed and were not revived, newest first."""

    async def dead_letter(self, workflow_id: str, run_id: str | None = None) -> DeadLetter:
        """The newest of this id, or of this run. Raises UnknownWorkflow if there is none."""

    async def revive(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        """Go on with the run from what failed: the failed activities get a schedule anew, completed ones keep their results.

        Raises NotDead, UnknownWorkflow.
        """

    async def discard(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        """Put a dead letter away: the run counts as cancelled. Raises NotDead, UnknownWorkflow."""

    def attempts(self) -> Mapping[tuple[str, str], int]:
        """Attempts made by this process since it started: by activity, and by how they came out (`succeeded`, `failed`,
        `refused`)."""

    async def queue(self) -> QueueState:
        """How the work stands, in the whole database."""

    async def retire(self, *, before: datetime, limit: int = 1000) -> int:
        """Forget up to `limit` runs that completed or were cancelled before then, with their histories and start keys;
        how many. Dead letters stay until they are revived or discarded."""
