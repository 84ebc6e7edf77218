"""Moving from the embedded engine to Temporal: what is carried over, and what keeps a gateway from starting."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import update

from gateway.durable.sql import SqlDurableCore
from gateway.durable.sql.tables import runs
from gateway.errors import ConfigurationWrong
from gateway.storage import Database
from gateway.storage.dispatches import write_dispatches
from gateway.storage.migrations import migrate
from providers.errors import TemporaryError
from tests.contract.durable.builders import Calls, a_signal, a_start, ended, kinds, quick, result_of, times, until
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue
from tests.servers.temporal import need_temporal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def outbox(tmp_path):
    """The gateway's own database."""
    opened = Database(f"sqlite:///{tmp_path}/admit.db")
    migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def cores(outbox):
    """Cores on one database and one task queue."""
    need_temporal()
    return partial(a_temporal_core, outbox, queue=fresh_queue())


async def two_signals(ctx, input):
    """An activity, then two signals, then another."""
    first = await ctx.activity("note", input)
    said = [(await ctx.wait_signal("go")).payload, (await ctx.wait_signal("end")).payload]
    return [first, said, await ctx.activity("note", "last")]


async def one_activity(ctx, input):
    """Tried again in an hour."""
    return await ctx.activity("work", schedule=quick(3600))


async def fails(ctx, input):
    """Until it is mended."""
    first = await ctx.activity("note", "before")
    return [first, await ctx.activity("work", schedule=quick())]


WORKFLOWS = {"two": two_signals, "one": one_activity, "fails": fails}


async def test_unfinished_runs_and_dead_letters_go_on_with_their_histories(cores, outbox):
    """The same runs: ids, histories, inboxes, timers; nothing done is done again, and used start keys stay used."""
    calls, broken = Calls(), [True]

    async def work():
        if broken[0]:
            raise TemporaryError("down")
        return "mended"

    activities = {"note": calls.note, "work": work}
    embedded = SqlDurableCore(database=outbox, workflows=WORKFLOWS, activities=activities, poll=0.05)
    await embedded.start()
    await embedded.dispatch(a_start("waits", "two", 1, start_key="key"))
    await embedded.dispatch(a_start("retries", "one"))
    await embedded.dispatch(a_start("dead", "fails"))
    await embedded.dispatch(a_signal("waits", "end", "early"))
    await ended(embedded, "dead")
    await until(lambda: times(embedded, "waits", "SignalAwaited"))
    await until(lambda: times(embedded, "retries", "AttemptFailed"))
    await embedded.stop()
    await embedded.dispatch(a_start("later", "one", delay=3600))
    before = {id: (await embedded.describe(id), await embedded.history(id)) for id in ("waits", "retries", "dead", "later")}
    letter = await embedded.dead_letter("dead")
    await outbox.write(partial(write_dispatches, batch=[a_signal("waits", "go", "outbox")], now_ms=1))

    broken[0] = False
    async with cores(WORKFLOWS, activities) as core:
        assert await result_of(core, "waits") == [1, ["outbox", "early"], "last"]
        retrying = await until(lambda: _parked(core, "retries"))
        assert retrying.wake_at == before["retries"][0].wake_at
        await core.retry("retries")
        assert await result_of(core, "retries") == "mended"
        assert await core.dead_letters() == [letter]
        await core.revive("dead")
        assert await result_of(core, "dead") == ["before", "mended"]
        for id in ("waits", "retries", "dead"):
            run, history = before[id]
            assert (await core.describe(id, run.run_id)).run_id == run.run_id
            assert (await core.history(id))[: len(history)] == history
        assert not (await core.describe("later")).status.ended
        await core.cancel("later")
        await ended(core, "later")
        await core.dispatch(a_start("again", "two", start_key="key"))
        assert "again" not in {run.workflow_id for run in await core.list()}
    assert calls.made == [1, "before", "last"] or calls.made == ["before", 1, "last"]


async def test_run_is_carried_over_once_although_a_gateway_died_in_the_middle(cores, outbox):
    """Temporal had it, and the row had not been put away; by now it has even ended."""
    calls = Calls()

    async def note(ctx, input):
        return await ctx.activity("note", input)

    embedded = SqlDurableCore(database=outbox, workflows={"w": note}, activities={})
    await embedded.dispatch(a_start("w", "w", 1))
    async with cores({"w": note}, {"note": calls.note}) as core:
        assert await result_of(core, "w") == 1
    again = {"status": "ready", "live": "w", "ended_at": None, "error": None}
    await outbox.write(lambda connection: connection.execute(update(runs).values(**again)))
    async with cores({"w": note}, {"note": calls.note}) as core:
        assert await result_of(core, "w") == 1
        assert len(await core.list()) == 1
    assert calls.made == [1]


async def test_attempt_the_embedded_engine_was_killed_in_is_lost_and_made_again(cores, outbox):
    """Its process is registered and does not beat any more."""
    begun = asyncio.Event()

    async def hang():
        begun.set()
        await asyncio.sleep(3600)

    async def work():
        return "done"

    workflows = {"one": one_activity}
    embedded = SqlDurableCore(database=outbox, workflows=workflows, activities={"work": hang}, lease=3600)  # beats every 15 minutes
    await embedded.start()
    await embedded.dispatch(a_start("w", "one"))
    await asyncio.wait_for(begun.wait(), 240)
    try:
        async with cores(workflows, {"work": work}, lease=0.2) as core:
            assert await result_of(core, "w") == "done"
            assert (await kinds(core, "w")).count("AttemptLost") == 1
    finally:
        await embedded.stop(grace=0)


async def test_gateway_does_not_start_on_temporal_while_another_runs_the_embedded_engine(cores, outbox):
    """Both would go on with the same runs."""
    embedded = SqlDurableCore(database=outbox, workflows=WORKFLOWS, activities={}, lease=0.4)
    await embedded.start()
    try:
        await embedded.dispatch(a_start("w", "two"))
        with pytest.raises(ConfigurationWrong, match="a gateway without `durable:` still works on this database"):
            async with cores(WORKFLOWS, lease=1.0):
                pass
    finally:
        await embedded.stop()


async def _parked(core, workflow_id):
    run = await core.describe(workflow_id)
    return run if run.status == "parked" else None
