"""A run in memory: between being claimed and leaving again, parked, ended, handed over or fenced off.

The loop of `Resident.run` is always the same: go on as far as inbox and clock allow; write that down; only then start
the attempts whose intent is written; wait for an outcome, a signal or a timer. When nothing of the run is left to do
here but wait, it parks and leaves memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from gateway.durable.attempts import AttemptOutcome
from gateway.durable.commands import RunActivity
from gateway.durable.execution import Execution, Pending
from gateway.durable.outcomes import attempt_number, record_lost, record_outcome
from gateway.durable.payloads import decoded
from gateway.durable.port import (
    DurableError,
    HistoryEvent,
    NonDeterministic,
    UnknownWorkflow,
    Workflow,
    WorkflowRun,
    WorkflowStatus,
)
from gateway.durable.sql.appending import Append, End, Park, Settlement, Verdict
from gateway.durable.sql.claims import Claimed
from gateway.durable.sql.clock import Clock
from gateway.durable.sql.endings import end
from gateway.durable.sql.journal import Journal
from gateway.durable.stepping import Received, due_activities, last_problem, ordered_by, step, underway, wake_at
from gateway.durable.tally import Tally

log = structlog.get_logger(__name__)

_STUCK = timedelta(seconds=60)
"""How long a run that this code cannot go on with rests before it is tried again, perhaps by newer code."""

HISTORY_LIMIT = 50_000
"""Events of one run; beyond it, taking the run up again would cost seconds."""
_FAREWELL = 5.0
"""Seconds an attempt that was told to stop has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every run in this process shares. read_inbox: counter and entries of a run as they stand now."""

    workflows: Mapping[str, Workflow]
    tally: Tally
    journal: Journal
    clock: Clock
    slots: asyncio.Semaphore
    read_inbox: Callable[[str], Awaitable[tuple[int, list[Received]]]]


class Resident:
    """One claimed run. execution: where it stands, if it began here; else it is folded from what was read."""

    def __init__(self, claimed: Claimed, around: Surroundings, execution: Execution | None = None) -> None:
        self.claimed = claimed
        self._begun = execution
        self.run_id = claimed.run_id
        self.ended_as: WorkflowRun | None = None
        self._around = around
        self._inbox = list(claimed.inbox)
        self._seen = claimed.seen
        self._consumed: list[int] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outcomes: list[tuple[str, AttemptOutcome]] = []
        self._changed = asyncio.Event()
        self._unwritten: list[tuple[str, AttemptOutcome]] = []
        self._stale = False
        self._leaving = False

    def signalled(self, counter: int | None = None) -> None:
        """The inbox may have grown (to this many)."""
        if counter is None or counter != self._seen:
            self._stale = True
            self._changed.set()

    def leave(self, *, at_once: bool = False) -> None:
        """Start nothing more and hand over as soon as no attempt runs; `at_once` tells the attempts to stop."""
        self._leaving = True
        if at_once:
            self._cancel_attempts(self._tasks)
        self._changed.set()

    async def run(self) -> None:
        """Until it leaves memory."""
        try:
            self._execution = self._taken_up() if self._begun is None else self._begun
        except (NonDeterministic, UnknownWorkflow) as problem:
            await self._rest(problem)
            return
        try:
            while await self._go_on():
                await self._wait()
        finally:
            self._cancel_attempts(self._tasks)
            self._execution.close()
            if self._tasks:
                await asyncio.wait(list(self._tasks.values()), timeout=_FAREWELL)

    def _taken_up(self) -> Execution:
        """Folded to where another process left it, whose attempts are lost."""
        execution = self._folded(self.claimed.events)
        for pending in underway(execution):
            record_lost(execution, pending, self._now())
        execution.settle(self._now())
        return execution

    def _folded(self, events: Sequence[HistoryEvent]) -> Execution:
        workflow = self._around.workflows.get(self.claimed.type)
        if workflow is None:
            raise UnknownWorkflow(f"no workflow '{self.claimed.type}' here; this code knows {', '.join(sorted(self._around.workflows))}")
        return Execution(workflow, events)

    async def _go_on(self) -> bool:
        """As far as possible; False when the run has left."""
        while True:
            if self._stale:
                self._stale = False
                self._seen, self._inbox = await self._around.read_inbox(self.run_id)
                self._inbox = [entry for entry in self._inbox if entry.ord not in self._consumed]
            settlement = self._decide(self._now())
            match await self._write(settlement):
                case Verdict.FENCED:
                    log.warning("run has been taken over, letting go", workflow=self.claimed.workflow_id, run=self.run_id)
                    return False
                case Verdict.MOVED:
                    self._stale = True
                    if isinstance(settlement, End):
                        self._take_back()
                case Verdict.WRITTEN:
                    if isinstance(settlement, End) and settlement.successor is None:
                        self.ended_as = self._as_seen(settlement)
                    self._start_attempts()
                    return settlement is None

    def _decide(self, at: datetime) -> Settlement | None:
        execution = self._execution
        for command, outcome in self._outcomes:
            if command in execution.pending:  # else an operator gave it up meanwhile
                record_outcome(execution, execution.pending[command], outcome, at)
        self._unwritten += self._outcomes
        self._outcomes.clear()
        if execution.sequence > HISTORY_LIMIT and execution.ending is None:
            execution.record("LimitReached", {"events": execution.sequence}, at)
        used = step(execution, self._inbox, at)
        self._inbox = [entry for entry in self._inbox if entry not in used]
        self._consumed += [entry.ord for entry in used]
        if execution.ending is not None:
            settled, dropped = end(execution, self.claimed.type, self._inbox, at)
            self._consumed += dropped
            return settled
        self._cancel_attempts(set(self._tasks) - set(execution.pending))
        if self._leaving:
            return self._hand_over(at)
        for pending in due_activities(execution, at):
            execution.record("AttemptStarted", {"command": pending.id, "attempt": attempt_number(pending)}, at)
        return None if underway(execution) else Park(wake_at=wake_at(execution), error=last_problem(execution))

    def _hand_over(self, at: datetime) -> Settlement | None:
        if self._tasks:
            return None
        for pending in underway(self._execution):
            self._execution.record("HandedOver", {"command": pending.id}, at)
        return Park(wake_at=at)

    async def _write(self, settlement: Settlement | None) -> Verdict:
        events = tuple(self._execution.uncommitted)
        if not events and not self._consumed and settlement is None:
            return Verdict.WRITTEN
        append = Append(run_id=self.run_id, events=events, consumed=tuple(self._consumed), settlement=settlement, seen=self._seen)
        verdict = await self._around.journal.append(append)
        if verdict is Verdict.WRITTEN:
            self._execution.committed()
            self._consumed.clear()
            self._unwritten.clear()
        return verdict

    def _take_back(self) -> None:
        """The end was refused because something arrived: fold again to where the history is written, keep what the world did."""
        written = self._execution.events[: -len(self._execution.uncommitted)]
        self._execution.close()
        self._execution = self._folded(written)
        self._consumed.clear()
        self._outcomes = self._unwritten + self._outcomes
        self._unwritten = []
        self._execution.settle(self._now())

    def _start_attempts(self) -> None:
        for pending in underway(self._execution):
            if pending.id not in self._tasks and not self._leaving:
                task = asyncio.create_task(self._attempt(pending), name=f"activity {self.claimed.workflow_id} {pending.id}")
                self._tasks[pending.id] = task
                task.add_done_callback(partial(self._attempt_over, pending.id))

    async def _attempt(self, pending: Pending) -> None:
        assert isinstance(pending.command, RunActivity)
        async with self._around.slots:
            self._outcomes.append((pending.id, await self._around.tally.attempt(pending.command)))
        self._attempt_over(pending.id, asyncio.current_task())

    def _attempt_over(self, command: str, task: asyncio.Task[None] | None) -> None:
        """Told by the attempt itself, and by its task, since one that is cancelled may never have begun."""
        if self._tasks.get(command) is task:
            del self._tasks[command]
            self._changed.set()

    def _cancel_attempts(self, commands: Iterable[str]) -> None:
        for command in list(commands):
            self._tasks[command].cancel()

    async def _wait(self) -> None:
        due = wake_at(self._execution)
        timer = None
        if due is not None:
            seconds = max(0.0, (due - self._now()).total_seconds())
            timer = asyncio.get_running_loop().call_later(seconds, self._changed.set)
        await self._changed.wait()
        self._changed.clear()
        if timer is not None:
            timer.cancel()

    async def _rest(self, problem: DurableError) -> None:
        """This code cannot go on with it: rest, visibly, and be tried again, perhaps by newer code. It can be cancelled."""
        log.error("run is stuck", workflow=self.claimed.workflow_id, run=self.run_id, problem=str(problem))
        now = self._now()
        order = next((entry for entry in self._inbox if entry.control and entry.name == "cancel"), None)
        if order is None:
            settlement: Settlement = Park(wake_at=now + _STUCK, error=f"{type(problem).__name__}: {problem}")
            events: tuple[HistoryEvent, ...] = ()
        else:
            by = ordered_by(order)
            last = self.claimed.events[-1]
            at = max(now, last.at)
            events = (HistoryEvent(sequence=last.sequence + 1, at=at, kind="WorkflowCancelled", attributes={"by": by}),)
            settlement = End(status=WorkflowStatus.CANCELLED, at=at, error=f"cancelled by {by}")
        append = Append(run_id=self.run_id, events=events, settlement=settlement, seen=self._seen)
        if await self._around.journal.append(append) is Verdict.MOVED:
            self._seen, self._inbox = await self._around.read_inbox(self.run_id)
            await self._rest(problem)

    def _as_seen(self, end: End) -> WorkflowRun:
        return WorkflowRun(
            workflow_id=self.claimed.workflow_id,
            run_id=self.run_id,
            type=self.claimed.type,
            status=end.status,
            started_at=self.claimed.events[0].at,
            ended_at=end.at,
            wake_at=None,
            result=None if end.result is None else decoded(end.result),
            error=end.error,
        )

    def _now(self) -> datetime:
        return self._around.clock.now()
