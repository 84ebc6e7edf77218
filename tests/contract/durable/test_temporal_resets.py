"""Runs reset with Temporal's own tools: they go on from an earlier point, as another execution of the same workflow."""

from __future__ import annotations

import asyncio
import uuid
from functools import partial

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import execution_id
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.builders import Calls, a_signal, a_start, ended, kinds, result_of, times, until
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue
from tests.servers.temporal import need_temporal, session_temporal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def outbox(tmp_path):
    """The gateway's own database."""
    need_temporal()
    opened = Database(f"sqlite:///{tmp_path}/admit.db")
    migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def queue():
    """Of this test alone."""
    return fresh_queue()


@pytest.fixture
def cores(outbox, queue):
    """Cores on one database and one task queue."""
    return partial(a_temporal_core, outbox, queue=queue)


async def two_steps(ctx, input):
    """An activity, a signal, an activity, a signal, another."""
    first = await ctx.activity("note", "first")
    go = await ctx.wait_signal("go")
    second = await ctx.activity("note", "second")
    end = await ctx.wait_signal("end")
    return [first, go.payload, second, end.payload, await ctx.activity("note", "third")]


async def reset(queue, workflow_id, *, to):
    """As `temporal workflow reset` does it: to the workflow task so many from the beginning, or from the end (negative)."""
    client = await Server(address=session_temporal(), namespace="default", task_queue=queue).client()
    handle = client.get_workflow_handle(execution_id(queue, workflow_id))
    described = await handle.describe()
    history = await handle.fetch_history()
    completed = [event.event_id for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=described.run_id),
            reason="a test",
            workflow_task_finish_event_id=completed[to],
            request_id=str(uuid.uuid4()),
        )
    )


async def test_waiting_run_reset_to_its_last_task_goes_on(cores, queue):
    """As the run it was, with its whole history; nothing is done twice."""
    calls = Calls()
    async with cores({"w": two_steps}, {"note": calls.note}) as core:
        await core.dispatch(a_start("w", "w"))
        await core.dispatch(a_signal("w", "go", 1))
        await until(lambda: _awaits(core, 2))
        before = await core.describe("w")
        await reset(queue, "w", to=-1)
        await core.dispatch(a_signal("w", "end", 2))
        assert await result_of(core, "w") == ["first", 1, "second", 2, "third"]
        assert (await core.describe("w")).run_id == before.run_id
        assert (await core.describe("w", before.run_id)).status == "completed"
        sequences = [event.sequence for event in await core.history("w")]
        assert sequences == list(range(1, len(sequences) + 1))
        assert calls.made == ["first", "second", "third"]


async def test_run_reset_to_before_its_first_step_is_refused(cores, queue):
    """Nobody can tell it from a start that was sent twice: what was done is not done again, and the next start is a new run."""
    calls = Calls()
    async with cores({"w": two_steps}, {"note": calls.note}) as core:
        await core.dispatch(a_start("w", "w"))
        await core.dispatch(a_signal("w", "go", 1))
        await until(lambda: _awaits(core, 2))
        await reset(queue, "w", to=0)
        run = await ended(core, "w")
        assert (run.status, run.error) == ("cancelled", "terminated in Temporal")
        assert calls.made == ["first", "second"]
        await core.dispatch(a_start("w", "w"))
        await core.dispatch(a_signal("w", "go", 3))
        await core.dispatch(a_signal("w", "end", 4))
        assert await result_of(core, "w") == ["first", 3, "second", 4, "third"]


async def test_finished_run_reset_goes_on_from_there(cores, queue):
    """Its id has a run again until it ends."""
    calls = Calls()
    async with cores({"w": two_steps}, {"note": calls.note}) as core:
        await core.dispatch(a_start("w", "w"))
        await core.dispatch(a_signal("w", "go", 1))
        await core.dispatch(a_signal("w", "end", 2))
        assert await result_of(core, "w") == ["first", 1, "second", 2, "third"]
        await reset(queue, "w", to=1)
        await until(lambda: _third_again(calls))
        assert (await ended(core, "w")).status == "completed"
        await core.replay("w")
        assert (await kinds(core, "w"))[-1] == "WorkflowCompleted"


async def _awaits(core, count):
    return await times(core, "w", "SignalAwaited") == count


async def _third_again(calls):
    await asyncio.sleep(0)
    return calls.made.count("third") == 2
