"""The port on SQL: what callers use. What runs workflows is `worker.Worker`; this joins the two."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.dispatch import Dispatch
from gateway.durable.commands import schedule_document
from gateway.durable.execution import Execution
from gateway.durable.payloads import encoded
from gateway.durable.port import (
    Activity,
    DeadLetter,
    EngineFull,
    HistoryEvent,
    QueueState,
    RetrySchedule,
    UnknownWorkflow,
    Workflow,
    WorkflowRun,
    WorkflowStatus,
)
from gateway.durable.retention import RETENTION
from gateway.durable.sql.batching import Batches
from gateway.durable.sql.clock import Clock
from gateway.durable.sql.dead_letters import discard, find_letter, list_letters, revive
from gateway.durable.sql.hearing import Hearing
from gateway.durable.sql.inbox import order
from gateway.durable.sql.keeping import queue_state, retire
from gateway.durable.sql.reading import find_history, find_run, list_runs
from gateway.durable.sql.worker import Worker
from gateway.storage.columns import to_ms
from gateway.storage.database import Database
from policies.model import Json


class SqlDurableCore:
    """The durable core in one SQL database; any number of processes may share it.

    owner: a name for this process in logs and in the database (None: host and process id).
    poll: seconds between looks for what other processes wrote. lease: seconds without a sign of life after which a
    process is taken for dead. concurrency: runs in memory, and attempts under way, at once. backlog: how many due runs
    may wait while this process is busy before starts are refused. retention: seconds ended runs are kept (None: for ever).
    """

    def __init__(
        self,
        *,
        database: Database,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
        owner: str | None = None,
        poll: float = 0.5,
        lease: float = 10.0,
        concurrency: int = 32,
        backlog: int = 10_000,
        retention: float | None = RETENTION,
    ) -> None:
        self._database = database
        self._workflows = workflows
        self._clock = Clock()
        self._poll = poll
        self._deaf: Callable[[], None] = lambda: None
        self._written: Batches[Dispatch, None] = Batches(self._write)
        self._waiting: dict[str, list[asyncio.Future[WorkflowRun]]] = defaultdict(list)
        self._worker = Worker(
            database=database,
            workflows=workflows,
            activities=activities,
            clock=self._clock,
            name=owner,
            poll=poll,
            lease=lease,
            concurrency=concurrency,
            backlog=backlog,
            retention=retention,
            on_end=self._tell,
        )
        self._hearing = Hearing(self._worker.wake)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        await self._worker.start()
        self._deaf = self._database.listen(lambda: self._told(loop))

    def _told(self, loop: asyncio.AbstractEventLoop) -> None:
        """An operation has written to the outbox: what it set going need not wait for the next poll."""
        with suppress(RuntimeError):  # the loop has been closed: nobody is at work any more
            loop.call_soon_threadsafe(self._hearing.told, loop.call_later)

    async def stop(self, *, grace: float = 10.0) -> None:
        self._deaf()
        await self._worker.stop(grace)

    async def alive(self) -> None:
        self._worker.require_alive()

    def wake(self) -> None:
        self._hearing.told(asyncio.get_running_loop().call_later)

    async def dispatch(self, dispatch: Dispatch) -> None:
        if dispatch.workflow_type is not None and dispatch.workflow_type not in self._workflows:
            raise UnknownWorkflow(f"no workflow '{dispatch.workflow_type}'; there are {', '.join(sorted(self._workflows))}")
        if dispatch.workflow_type is not None and self._worker.full:
            raise EngineFull("more workflows wait than may", retry_after=max(1.0, 2 * self._poll))
        encoded(dispatch.input, "the input")
        encoded(dispatch.payload, "the signal's payload")
        await self._written.submit(dispatch)

    async def _write(self, batch: Sequence[Dispatch]) -> Sequence[None]:
        await self._worker.accept(batch)
        return [None] * len(batch)

    async def result(self, workflow_id: str, *, timeout: float) -> WorkflowRun:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        ended: asyncio.Future[WorkflowRun] = loop.create_future()
        self._waiting[workflow_id].append(ended)
        try:
            while True:
                left = deadline - loop.time()
                if left <= 0:
                    return await self.describe(workflow_id)
                if not self._worker.holds(workflow_id):  # else its end is told here, and nobody need look
                    run = await self._found(workflow_id)
                    if run is not None and run.status.ended:
                        return run
                await asyncio.wait([ended], timeout=min(self._poll, left))
                if ended.done():
                    return ended.result()
        finally:
            self._waiting[workflow_id].remove(ended)
            if not self._waiting[workflow_id]:
                del self._waiting[workflow_id]

    async def _found(self, workflow_id: str) -> WorkflowRun | None:
        with suppress(UnknownWorkflow):  # it may come yet
            return await self.describe(workflow_id)
        return None

    def _tell(self, run: WorkflowRun) -> None:
        for waiting in self._waiting.get(run.workflow_id, ()):
            if not waiting.done():
                waiting.set_result(run)

    async def describe(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        return await self._database.read(lambda connection: find_run(connection, workflow_id, run_id))

    async def history(self, workflow_id: str, run_id: str | None = None) -> Sequence[HistoryEvent]:
        _, events = await self._database.read(lambda connection: find_history(connection, workflow_id, run_id))
        return events

    async def replay(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        run, events = await self._database.read(lambda connection: find_history(connection, workflow_id, run_id))
        workflow = self._workflows.get(run.type)
        if workflow is None:
            raise UnknownWorkflow(f"no workflow '{run.type}' in this code; there are {', '.join(sorted(self._workflows))}")
        Execution(workflow, events).close()
        return run

    async def list(
        self, *, type: str | None = None, status: WorkflowStatus | None = None, without: Collection[str] = (), limit: int = 100
    ) -> Sequence[WorkflowRun]:
        return await self._database.read(lambda connection: list_runs(connection, type, status, without, limit))

    # --- an operator's hand ------------------------------------------------------------------

    async def cancel(self, workflow_id: str, *, by: str = "an operator") -> None:
        await self._order(workflow_id, "cancel", {"by": by})

    async def retry(self, workflow_id: str, *, activity: str | None = None, by: str = "an operator") -> None:
        await self._order(workflow_id, "retry", {"activity": activity, "by": by})

    async def reschedule(self, workflow_id: str, schedule: RetrySchedule, *, activity: str | None = None, by: str = "an operator") -> None:
        await self._order(workflow_id, "reschedule", {"activity": activity, "by": by, "schedule": schedule_document(schedule)})

    async def give_up(self, workflow_id: str, *, activity: str | None = None, by: str = "an operator") -> None:
        await self._order(workflow_id, "give_up", {"activity": activity, "by": by})

    async def _order(self, workflow_id: str, name: str, details: dict[str, Json]) -> None:
        text, now_ms = encoded(details, "the order"), self._clock.now_ms()

        def unit(connection: Connection) -> str | None:
            run_id = order(connection, workflow_id, name, text, now_ms)
            # raises where nothing is known; an ended run stays as it ended; one that has begun since gets the order after all
            if run_id is None and not find_run(connection, workflow_id, None).status.ended:
                run_id = order(connection, workflow_id, name, text, now_ms)
            return run_id

        run_id = await self._database.write(unit)
        if run_id is not None:
            self._worker.signalled({run_id})
            self._worker.wake()

    async def dead_letters(self, *, type: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        return await self._database.read(lambda connection: list_letters(connection, type, limit))

    async def dead_letter(self, workflow_id: str, run_id: str | None = None) -> DeadLetter:
        return await self._database.read(lambda connection: find_letter(connection, workflow_id, run_id))

    async def revive(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: revive(connection, workflow_id, run_id, by, now))
        self._worker.wake()

    async def discard(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: discard(connection, workflow_id, run_id, by, now))

    # --- how it stands -------------------------------------------------------------------------

    def attempts(self) -> Mapping[tuple[str, str], int]:
        return dict(self._worker.tally.counts)

    async def queue(self) -> QueueState:
        now_ms = self._clock.now_ms()
        return await self._database.read(lambda connection: queue_state(connection, now_ms))

    async def retire(self, *, before: datetime, limit: int = 1000) -> int:
        return await self._database.write(lambda connection: retire(connection, to_ms(before), limit))
