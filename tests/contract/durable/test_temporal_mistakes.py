"""What could go wrong between the outbox, Temporal and several processes, one test each."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.durable import DurableError, NotDead, retention
from gateway.durable.temporal.converting import CONVERTER
from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import SIGNAL, a_beginning, a_message, execution_id
from gateway.errors import ConfigurationWrong
from gateway.storage import Database
from gateway.storage.dispatches import dispatches, write_dispatches
from gateway.storage.migrations import migrate
from providers.errors import TemporaryError
from tests.contract.durable.builders import (
    PATIENCE,
    Calls,
    a_signal,
    a_signal_or_start,
    a_start,
    ended,
    kinds,
    quick,
    result_of,
    times,
    until,
)
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue
from tests.servers.temporal import need_temporal, running_temporal, session_temporal

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent


@pytest.fixture
async def outbox(tmp_path):
    """The gateway's own database."""
    opened = Database(f"sqlite:///{tmp_path}/admit.db")
    migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def queue():
    """The test's own task queue."""
    need_temporal()
    return fresh_queue()


@pytest.fixture
def cores(outbox, queue):
    """Cores on one database and one task queue."""
    return partial(a_temporal_core, outbox, queue=queue)


async def drain(ctx, input):
    """What has arrived."""
    got = []
    while (said := await ctx.wait_signal(timeout=0)) is not None:
        got.append(said.payload)
    return [await ctx.activity("note", payload) for payload in got]


# --- exactly once ---------------------------------------------------------------------------


async def test_dispatch_sent_again_after_its_run_has_ended_changes_nothing(cores, outbox):
    """The relay died before it could write that it had sent it."""
    calls = Calls()
    async with cores({"drain": drain}, {"note": calls.note}) as core:
        await core.dispatch(a_signal_or_start("w", "drain", "n", 1))
        await ended(core, "w")
        await outbox.write(lambda connection: connection.execute(update(dispatches).values(taken=False)))
        await core.dispatch(a_signal_or_start("w", "drain", "n", 2))  # the old one goes first
        await until(lambda: _all_ended(core, 2))
        assert calls.made == [1, 2]


async def test_dispatch_a_second_relay_sends_late_starts_no_second_run(cores, queue):
    """It had read the outbox, stood still, and knows nothing of the claim."""
    calls = Calls()
    first = a_signal_or_start("w", "drain", "n", 1)
    async with cores({"drain": drain}, {"note": calls.note}) as core:
        await core.dispatch(first)
        run = await ended(core, "w")
        late = Server(address=session_temporal(), namespace="default", task_queue=queue)
        began = await late.signal_or_start(
            execution_id(queue, "w"),
            "drain",
            a_beginning("w", None, dispatch=first.id),
            SIGNAL,
            a_message("n", 1, dispatch=first.id, starts=["drain", None]),
            request="another request",
        )
        assert began

        async def over():
            found = await late.describe(execution_id(queue, "w"))
            return found.close_time is not None and found.run_id != run.run_id

        await until(over)
        assert await core.describe("w") == run
        assert [listed.run_id for listed in await core.list()] == [run.run_id]
    assert calls.made == [1]


async def test_what_is_said_to_a_run_begun_twice_is_not_lost_with_it(cores, queue):
    """The second beginning is none, but a signal that reached it starts the run it was to start."""
    calls = Calls()
    first, news = a_signal_or_start("w", "drain", "n", 1), a_signal_or_start("w", "drain", "n", 2)
    async with cores({"drain": drain}, {"note": calls.note}) as core:
        await core.dispatch(first)
        await ended(core, "w")
        await core.stop()
        late, id = Server(address=session_temporal(), namespace="default", task_queue=queue), execution_id(queue, "w")
        for dispatch in (first, news):
            message = a_message("n", dispatch.payload, dispatch=dispatch.id, starts=["drain", None])
            begins = a_beginning("w", None, dispatch=dispatch.id)
            await late.signal_or_start(id, "drain", begins, SIGNAL, message, request=f"late {dispatch.id}")
        await core.start()
        await until(lambda: _all_ended(core, 2))
        assert await result_of(core, "w") == [2]
    assert calls.made == [1, 2]


async def test_start_in_whose_way_a_run_begun_twice_stands_happens(cores, queue):
    """Such a run is none, so the start is not ignored."""
    calls = Calls()

    async def note(ctx, input):
        return await ctx.activity("note", input)

    first = a_start("w", "w", 1)
    async with cores({"w": note}, {"note": calls.note}) as core:
        await core.dispatch(first)
        await ended(core, "w")
        await core.stop()
        late = Server(address=session_temporal(), namespace="default", task_queue=queue)
        await late.start(execution_id(queue, "w"), "w", a_beginning("w", 1, dispatch=first.id), request="late")
        await core.dispatch(a_start("w", "w", 2))
        await core.start()
        await until(lambda: _all_ended(core, 2))
        assert await result_of(core, "w") == 2
    assert calls.made == [1, 2]


async def test_two_relays_on_one_outbox_keep_the_order_and_send_each_once(cores, outbox):
    """Both read the same rows at the same time."""

    async def collect(ctx, count):
        return [(await ctx.wait_signal()).payload for _ in range(count)]

    async with cores({"collect": collect}, start=False) as left, cores({"collect": collect}, start=False) as right:
        batch = [a_start("w", "collect", 40), *(a_signal("w", "n", number) for number in range(40))]
        await outbox.write(lambda connection: write_dispatches(connection, batch, now_ms=1))
        await asyncio.gather(left.start(), right.start())
        assert await result_of(left, "w") == list(range(40))


async def test_process_killed_between_sending_and_noting_it_sends_nothing_twice(cores, tmp_path, queue):
    """What it sent is claimed; what it had not sent goes when another comes."""
    calls = Calls()
    await _in_a_process("kill_before_noting", tmp_path, queue, expect=-signal.SIGKILL)

    async def count(ctx, input):
        await ctx.wait_signal("n")
        return await ctx.activity("note", input)

    async with cores({"count": count}, {"note": calls.note}) as core:
        for number in range(3):
            assert await result_of(core, f"w{number}") == number
        assert sorted(run.workflow_id for run in await core.list(type="count")) == ["w0", "w1", "w2", "x"]
    assert sorted(calls.made) == [0, 1, 2]


async def test_start_key_of_a_start_that_came_to_nothing_is_free(cores):
    """It was ignored because a run was going; the key has not been used."""
    async with cores({"drain": drain, "wait": _wait}, {"note": Calls().note}) as core:
        await core.dispatch(a_start("w", "wait"))
        await core.dispatch(a_start("w", "wait", start_key="key"))
        await core.dispatch(a_signal_or_start("w", "wait", "other", start_key="key"))
        await core.dispatch(a_start("v", "drain", start_key="key"))
        assert (await ended(core, "v")).status == "completed"
        await core.dispatch(a_start("u", "drain", start_key="key"))
        assert {run.workflow_id for run in await core.list()} <= {"w", "v"}


# --- processes and servers that go away -----------------------------------------------------


async def test_run_of_a_killed_process_goes_on_elsewhere(cores, tmp_path, queue):
    """Its attempt is lost after the lease, what was done is kept, and the histories agree."""
    killed = asyncio.create_task(_in_a_process("hang", tmp_path, queue, expect=-signal.SIGKILL))
    begun = tmp_path / "begun"
    await until(lambda: asyncio.sleep(0, begun.exists() or killed.done()))
    os.kill(int(begun.read_text()), signal.SIGKILL)
    await killed
    calls = Calls()

    async def hang():
        return "went on"

    async with cores({"w": _two_steps}, {"note": calls.note, "hang": hang}, lease=1.0) as core:
        assert await result_of(core, "w") == ["first", "went on"]
        assert await times(core, "w", "AttemptLost") == 1
    assert calls.made == []


async def test_dispatch_while_temporal_is_away_goes_when_it_is_back(outbox, queue, tmp_path):
    """It is committed here; nothing of it is lost or doubled."""
    calls = Calls()
    file = tmp_path / "temporal.db"
    with running_temporal(database=file) as address:
        port = int(address.rpartition(":")[2])
        async with a_temporal_core(outbox, {"drain": drain}, {"note": calls.note}, queue=queue, address=address) as core:
            await core.dispatch(a_signal_or_start("w", "drain", "n", 1))
            await ended(core, "w")
    async with a_temporal_core(outbox, {"drain": drain}, queue=queue, address=address, start=False) as core:
        await core.dispatch(a_signal_or_start("v", "drain", "n", 2))
        with pytest.raises(DurableError):
            await core.describe("v")
    with running_temporal(database=file, port=port) as address:
        async with a_temporal_core(outbox, {"drain": drain}, {"note": calls.note}, queue=queue, address=address) as core:
            assert await result_of(core, "v") == [2]
            assert await result_of(core, "w") == [1]
    assert calls.made == [1, 2]


async def test_core_goes_on_when_temporal_comes_back_and_stops_while_it_is_away(outbox, queue, tmp_path):
    """Meanwhile it says that it takes no work."""
    calls, file = Calls(), tmp_path / "temporal.db"
    with ExitStack() as first, ExitStack() as second:
        address = first.enter_context(running_temporal(database=file))
        async with a_temporal_core(outbox, {"drain": drain}, {"note": calls.note}, queue=queue, address=address) as core:
            await core.alive()
            await asyncio.to_thread(first.close)
            with pytest.raises(DurableError, match="Temporal does not answer"):
                await core.alive()
            await core.dispatch(a_signal_or_start("w", "drain", "n", 1))
            again = partial(running_temporal, database=file, port=int(address.rpartition(":")[2]))
            await asyncio.to_thread(lambda: second.enter_context(again()))
            await until(lambda: _known(core, "w"))
            assert await result_of(core, "w") == [1]
            await core.alive()
            await asyncio.to_thread(second.close)
            async with asyncio.timeout(240):
                await core.stop(grace=0.1)
    assert calls.made == [1]


async def test_missing_namespace_is_named_with_the_command_that_makes_it(outbox, queue):
    """Before anything is taken."""
    with pytest.raises(ConfigurationWrong, match="no namespace 'elsewhere'") as problem:
        async with a_temporal_core(outbox, {}, queue=queue, namespace="elsewhere"):
            pass
    assert "temporal operator namespace create --namespace elsewhere" in problem.value.advice


# --- Temporal's own limits and tools --------------------------------------------------------


async def test_history_larger_than_temporal_takes_at_once_survives_a_change_of_process(cores):
    """Nothing but what is new travels, and the process that takes over has it all."""
    noise = random.Random(1)

    async def noisy(_):
        return noise.randbytes(60_000).hex()

    async def much(ctx, input):
        sizes = [len(await ctx.activity("noisy", number)) for number in range(40)]
        await ctx.wait_signal("go")
        return [sum(sizes), await ctx.activity("noisy", 40)][0]

    async with cores({"much": much}, {"noisy": noisy}) as core:
        await core.dispatch(a_start("w", "much"))
        await until(lambda: times(core, "w", "SignalAwaited"), patience=90)
    async with cores({"much": much}, {"noisy": noisy}) as core:
        await core.dispatch(a_signal("w", "go"))
        assert await result_of(core, "w") == 40 * 120_000


async def test_step_larger_than_temporal_takes_rests_visibly(cores):
    """What one step may write is Temporal's limit, not ours; the run says so and is not lost."""
    noise = random.Random(1)

    async def wide(ctx, input):
        await ctx.gather(*(ctx.activity("note", noise.randbytes(100_000).hex()) for _ in range(20)))

    async with cores({"wide": wide}, {"note": Calls().note}) as core:
        await core.dispatch(a_start("w", "wide"))

        async def stuck():
            return (await core.describe("w")).error

        assert "more than the 1500000 Temporal takes at once" in await until(stuck)
        await core.cancel("w")
        assert (await ended(core, "w")).status == "cancelled"


async def test_letter_outlives_what_temporal_forgets(cores, queue):
    """A namespace keeps closed executions for days; a dead letter waits until somebody decides."""
    calls = Calls()
    broken = [True]

    async def work():
        if broken[0]:
            raise TemporaryError("down")
        return "done"

    async def workflow(ctx, input):
        first = await ctx.activity("note", 1)
        return [first, await ctx.activity("work", schedule=quick())]

    async with cores({"w": workflow}, {"note": calls.note, "work": work}) as core:
        await core.dispatch(a_start("w", "w"))
        run = await ended(core, "w")
        await until(lambda: _letters(core))
        before = await core.dead_letter("w", run.run_id)
        server = Server(address=session_temporal(), namespace="default", task_queue=queue)
        await until(lambda: _copied(server, queue, run.run_id))
        await server.delete(execution_id(queue, "w"), run.run_id)
        await until(lambda: _gone(server, execution_id(queue, "w"), run.run_id))
        assert await core.dead_letter("w", run.run_id) == before
        broken[0] = False
        await core.revive("w", run.run_id)
        assert await result_of(core, "w") == [1, "done"]
        assert (await core.describe("w")).run_id == run.run_id
    assert calls.made == [1]


async def test_two_decisions_about_one_letter_are_one(cores):
    """The second is told."""

    async def wrong(ctx, input):
        raise ValueError("no")

    async with cores({"w": wrong}) as core:
        await core.dispatch(a_start("w", "w"))
        await ended(core, "w")
        outcomes = await asyncio.gather(core.discard("w"), core.discard("w"), return_exceptions=True)
        assert sorted(type(outcome) for outcome in outcomes if outcome is not None) in ([], [NotDead])
        assert (await core.describe("w")).status == "cancelled"


async def test_run_cancelled_with_temporals_own_tools_is_cancelled(cores, queue):
    """And its history says by whom."""
    async with cores({"w": _wait}) as core:
        await core.dispatch(a_start("w", "w"))
        await until(lambda: times(core, "w", "SignalAwaited"))
        client = await Server(address=session_temporal(), namespace="default", task_queue=queue).client()
        await client.get_workflow_handle(execution_id(queue, "w")).cancel()
        run = await ended(core, "w")
        assert (run.status, run.error) == ("cancelled", "cancelled by Temporal")
        assert (await kinds(core, "w"))[-1] == "WorkflowCancelled"
        await core.replay("w")


async def test_run_terminated_with_temporals_own_tools_counts_as_cancelled(cores, queue):
    """Its history ends where it was."""
    async with cores({"w": _wait}) as core:
        await core.dispatch(a_start("w", "w"))
        await until(lambda: times(core, "w", "SignalAwaited"))
        client = await Server(address=session_temporal(), namespace="default", task_queue=queue).client()
        await client.get_workflow_handle(execution_id(queue, "w")).terminate()
        run = await ended(core, "w")
        assert (run.status, run.error) == ("cancelled", "terminated in Temporal")
        await core.dispatch(a_start("w", "w"))
        assert not (await core.describe("w")).status.ended


async def test_payloads_are_readable_in_temporals_pages_unless_they_are_large():
    """JSON as it was written, keys in order; compressed only above 8 kB."""
    [small, large] = await CONVERTER.encode([{"b": 1, "a": 2}, "x" * 20_000])
    assert (small.metadata["encoding"], small.data) == (b"json/plain", b'{"b":1,"a":2}')
    assert large.ByteSize() < 1000
    assert await CONVERTER.decode([small, large]) == [{"b": 1, "a": 2}, "x" * 20_000]


async def _wait(ctx, input):
    await ctx.wait_signal("never")


async def _two_steps(ctx, input):
    return [await ctx.activity("note", "first"), await ctx.activity("hang", timeout=3600, schedule=quick(0.1))]


async def _in_a_process(what, folder, queue, *, expect):
    """Run a scenario of `temporal_process` until it ends, and look how."""
    scenario = json.dumps({"what": what, "folder": str(folder), "queue": queue, "address": session_temporal()})
    process = await asyncio.to_thread(_started, scenario)
    try:
        assert await asyncio.to_thread(process.wait, PATIENCE * 2) == expect
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _started(scenario):
    return subprocess.Popen([sys.executable, "-m", "tests.contract.durable.temporal_process", scenario], cwd=HERE.parents[2])


async def _all_ended(core, count):
    runs = await core.list()
    return len(runs) == count and all(run.status.ended for run in runs)


async def _known(core, workflow_id):
    try:
        return await core.describe(workflow_id)
    except DurableError:
        return None


async def _letters(core):
    return await core.dead_letters()


async def _copied(server, queue, run_id):
    history = await server.history(f"{queue}:w/dead/{run_id}", "")
    return any(event.marker_recorded_event_attributes.marker_name for event in history.events)


async def _gone(server, id, execution):
    return await server.describe(id, execution) is None


async def test_old_runs_are_forgotten_by_themselves(cores, monkeypatch):
    """Once they are older than they are kept."""
    monkeypatch.setattr(retention, "RETIRING", 0.1)
    async with cores({"w": _end}, retention=0.0) as core:
        await core.dispatch(a_start("w", "w"))

        async def forgotten():
            return not await core.list()

        await until(forgotten)


async def _end(ctx, input):
    return "ended"
