"""The port on Temporal: what callers use.

Temporal keeps runs, histories, timers and dead letters. The gateway's own database keeps the outbox, start keys, and
which dispatch went to which run. `list`, `dead_letters` and `queue` read the cluster's index, which lags a moment behind;
`describe`, `history`, `result` and every order are exact.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from gateway.domain.dispatch import Dispatch
from gateway.durable.commands import schedule_document
from gateway.durable.execution import Execution
from gateway.durable.letters import letter_from
from gateway.durable.payloads import encoded
from gateway.durable.port import (
    Activity,
    DeadLetter,
    HistoryEvent,
    NonDeterministic,
    NotDead,
    QueueState,
    RetrySchedule,
    UnknownWorkflow,
    Workflow,
    WorkflowRun,
    WorkflowStatus,
)
from gateway.durable.retention import PORTION, RETENTION, retiring
from gateway.durable.temporal.adopting import adopt
from gateway.durable.temporal.claims import claim, overdue
from gateway.durable.temporal.converting import CONVERTER
from gateway.durable.temporal.credentials import Credentials
from gateway.durable.temporal.interpreter import Run
from gateway.durable.temporal.keeping import retire
from gateway.durable.temporal.letter import Letter
from gateway.durable.temporal.reading import Located, Reading
from gateway.durable.temporal.relay import Relay, Relaying
from gateway.durable.temporal.server import Server, TemporalUnavailable
from gateway.durable.temporal.wire import ORDER, an_order, execution_id, letter_id
from gateway.durable.temporal.worker import Working
from gateway.storage.columns import from_ms
from gateway.storage.database import Database
from gateway.storage.dispatches import write_dispatches
from policies.model import Json

_LOOKS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between looks at a run somebody waits for; the last repeats."""
_DECISION = 30.0
"""Seconds a decision about a dead letter may take; some process has to be at work."""


class TemporalDurableCore:
    """The durable core on a Temporal cluster; any number of gateways share a task queue and a database.

    address: host:port. namespace: has to be there. task_queue: names this house among others in the namespace.
    credentials: none where the cluster asks for none. poll: seconds between looks for what other processes wrote to the
    outbox. lease: seconds without a sign of life after which an attempt's process is taken for dead. concurrency: attempts
    under way at once. retention: seconds ended runs are kept (None: for as long as the namespace keeps them).
    """

    def __init__(
        self,
        *,
        database: Database,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
        address: str,
        namespace: str = "default",
        task_queue: str = "admittance",
        credentials: Credentials | None = None,
        poll: float = 0.5,
        lease: float = 10.0,
        concurrency: int = 32,
        retention: float | None = RETENTION,
    ) -> None:
        self._database = database
        self._workflows = workflows
        self._lease = lease
        self._retention = retention
        self._retiring: asyncio.Task[None] | None = None
        self._server = Server(address=address, namespace=namespace, task_queue=task_queue, credentials=credentials)
        self._reading = Reading(self._server)
        self._relay = Relay(database=database, server=self._server, now_ms=_now_ms)
        self._relaying = Relaying(self._relay, poll)
        self._working = Working(
            server=self._server,
            database=database,
            workflows=workflows,
            activities=activities,
            claim=self._claim,
            relaying=self._relaying,
            lease=lease,
            concurrency=concurrency,
        )

    async def start(self) -> None:
        await self._server.require_namespace()
        await adopt(self._database, self._server, lease=self._lease, now=datetime.now(UTC))
        await self._working.start()
        if self._retention is not None and self._retiring is None:
            self._retiring = asyncio.create_task(retiring(self._retire_old), name="retiring")

    async def stop(self, *, grace: float = 10.0) -> None:
        if self._retiring is not None:
            self._retiring.cancel()
            await asyncio.wait({self._retiring})
            self._retiring = None
        await self._working.stop(grace)

    async def alive(self) -> None:
        self._working.require_alive()
        await self._server.require_answer()

    def wake(self) -> None:
        self._relaying.wake()

    async def dispatch(self, dispatch: Dispatch) -> None:
        if dispatch.workflow_type is not None and dispatch.workflow_type not in self._workflows:
            raise UnknownWorkflow(f"no workflow '{dispatch.workflow_type}'; there are {', '.join(sorted(self._workflows))}")
        encoded(dispatch.input, "the input")
        encoded(dispatch.payload, "the signal's payload")
        await self._database.write(lambda connection: write_dispatches(connection, [dispatch], now_ms=_now_ms()))
        try:
            await self._relay.relay()
        except TemporalUnavailable:  # it is committed, and goes when the cluster answers
            self.wake()

    async def result(self, workflow_id: str, *, timeout: float) -> WorkflowRun:
        loop = asyncio.get_running_loop()
        deadline, looks = loop.time() + timeout, 0
        while True:
            last = loop.time() >= deadline
            try:
                run = await self.describe(workflow_id)
            except UnknownWorkflow:
                if last:
                    raise
            else:
                if run.status.ended or last:
                    return run
            await asyncio.sleep(min(_LOOKS[min(looks, len(_LOOKS) - 1)], max(0.0, deadline - loop.time())))
            looks += 1

    async def describe(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        return (await self._reading.locate(workflow_id, run_id)).run

    async def history(self, workflow_id: str, run_id: str | None = None) -> Sequence[HistoryEvent]:
        events, _ = await self._reading.history(await self._reading.locate(workflow_id, run_id))
        return events

    async def replay(self, workflow_id: str, run_id: str | None = None) -> WorkflowRun:
        located = await self._reading.locate(workflow_id, run_id)
        workflow = self._workflows.get(located.run.type)
        if workflow is None:
            raise UnknownWorkflow(f"no workflow '{located.run.type}' in this code; there are {', '.join(sorted(self._workflows))}")
        events, recorded = await self._reading.history(located)
        Execution(workflow, events).close()
        replayer = Replayer(workflows=[Run, Letter], workflow_runner=UnsandboxedWorkflowRunner(), data_converter=CONVERTER)
        replayed = await replayer.replay_workflow(recorded, raise_on_replay_failure=False)
        if replayed.replay_failure is not None:
            raise NonDeterministic(f"Temporal's own replay of the execution '{located.execution}': {replayed.replay_failure}")
        return located.run

    async def list(
        self, *, type: str | None = None, status: WorkflowStatus | None = None, without: Collection[str] = (), limit: int = 100
    ) -> Sequence[WorkflowRun]:
        found = await self._reading.list(type=type, without=without, limit=limit)
        return [run for run in found if status in {None, run.status}][:limit]

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
        encoded(details, "the order")
        id = execution_id(self._server.task_queue, workflow_id)
        for _ in range(2):  # one that has begun between the two looks gets the order after all
            if await self._server.signal(id, ORDER, an_order(name, details), request=f"order:{time.time_ns()}"):
                return
            if (await self.describe(workflow_id)).status.ended:  # it stays as it ended; what nobody knows is raised
                return

    async def dead_letters(self, *, type: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        return [await self._letter(located) for located in (await self._reading.letters(type=type))[:limit]]

    async def dead_letter(self, workflow_id: str, run_id: str | None = None) -> DeadLetter:
        located = await self._dead(workflow_id, run_id)
        if located is None:
            raise UnknownWorkflow(f"no dead letter of workflow '{workflow_id}'" + (f", run '{run_id}'" if run_id else ""))
        return await self._letter(located)

    async def revive(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        await self._decide("revive", workflow_id, run_id, by)

    async def discard(self, workflow_id: str, run_id: str | None = None, *, by: str = "an operator") -> None:
        await self._decide("discard", workflow_id, run_id, by)

    async def _decide(self, decision: str, workflow_id: str, run_id: str | None, by: str) -> None:
        located = await self._dead(workflow_id, run_id)
        if located is None:
            found = await self.describe(workflow_id, run_id)
            raise NotDead(f"run '{found.run_id}' of workflow '{workflow_id}' is {found.status}, not failed")
        client = await self._server.client()
        letter = client.get_workflow_handle(letter_id(self._server.task_queue, workflow_id, located.run.run_id))
        try:
            async with asyncio.timeout(_DECISION):
                await letter.execute_update(decision, by)
        except WorkflowUpdateFailedError as problem:
            raise NotDead(str(problem.cause.message if isinstance(problem.cause, ApplicationError) else problem.cause)) from problem
        except RPCError as problem:
            if problem.status == RPCStatusCode.NOT_FOUND:
                raise NotDead(f"run '{located.run.run_id}' of workflow '{workflow_id}' is not failed any more") from problem
            raise
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as problem:
            raise TemporalUnavailable(
                f"nobody took the decision within {_DECISION:g} s (it may still be carried out): is a gateway running?"
            ) from problem

    async def _dead(self, workflow_id: str, run_id: str | None) -> Located | None:
        """The failed run, the newest of the id if not named."""
        try:
            located = await self._reading.locate(workflow_id, run_id)
        except UnknownWorkflow:
            return None
        if located.run.status is WorkflowStatus.FAILED:
            return located
        if run_id is not None:
            return None
        older = await self._reading.letters(type=None, workflow_id=workflow_id)
        return older[0] if older else None

    async def _letter(self, located: Located) -> DeadLetter:
        events, _ = await self._reading.history(located)
        return letter_from(located.run, events)

    # --- how it stands -------------------------------------------------------------------------

    def attempts(self) -> Mapping[tuple[str, str], int]:
        return self._working.attempts

    async def queue(self) -> QueueState:
        unsent, oldest = await self._database.read(overdue)
        runs = await self._reading.list(type=None, open_only=True)
        now = datetime.now(UTC)
        due = [run.started_at for run in runs if run.status is WorkflowStatus.READY]
        due += [run.wake_at for run in runs if run.wake_at is not None and run.wake_at <= now]
        due += [from_ms(oldest)] if oldest is not None else []
        return QueueState(
            waiting=len(due) + max(0, unsent - 1),
            oldest_due_at=min(due, default=None),
            running=sum(run.status is WorkflowStatus.RUNNING for run in runs),
            parked=sum(run.status is WorkflowStatus.PARKED for run in runs),
            dead_letters=len(await self._reading.letters(type=None)),
        )

    async def retire(self, *, before: datetime, limit: int = 1000) -> int:
        return await retire(self._database, self._server, self._reading, before=before, limit=limit)

    async def _retire_old(self) -> int:
        assert self._retention is not None
        return await self.retire(before=datetime.now(UTC) - timedelta(seconds=self._retention), limit=PORTION)

    async def _claim(self, dispatches: Sequence[str], run_id: str, workflow_id: str) -> set[str]:
        unit = partial(claim, dispatch_ids=dispatches, run_id=run_id, workflow_id=workflow_id, now_ms=_now_ms())
        return await self._database.write(unit)


def _now_ms() -> int:
    return int(time.time() * 1000)
