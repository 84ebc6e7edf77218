"""A process is killed at each of the engine's commit points in turn, before it and after it; the next one brings it to the same end.

The deterministic companion of the torture: one run that mixes everything, whose commit points are counted by letting it
live. A life ends as kill -9 ends it: no write of it happens any more, and nothing of it is told.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import replace

import pytest

from gateway.durable.sql import SqlDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate
from providers.errors import TemporaryError
from tests.contract.durable.builders import a_signal_or_start, ended, quick
from tests.contract.durable.conftest import empty, fresh_sqlite
from tests.servers.postgresql import fresh_postgresql

EXPECTED = {"steps": [1, 2], "branches": [10, 11], "signals": ["a", "b", "c"], "retried": "at last", "rounds": 1}


async def workflow(ctx, input):
    """Two runs: the first takes one signal along, the second the other two."""
    first = input["rounds"] == 0
    steps = [await ctx.activity("step", 1), await ctx.activity("step", 2)]
    retried = await ctx.activity("flaky", schedule=quick(0.01, repeat_last_for=3600))
    branches = await ctx.gather(ctx.activity("step", 10), ctx.activity("step", 11))
    await ctx.sleep(0.01)
    signals = list(input["signals"])
    while len(signals) < (1 if first else 3):
        signals.append((await ctx.wait_signal("s")).payload)
    if first:
        ctx.continue_as_new({"signals": signals, "rounds": 1})
    return {"steps": steps, "branches": branches, "signals": signals, "retried": retried, "rounds": input["rounds"]}


class MortalDatabase:
    """A database under a process that dies at its `dies_at`th write: `before` it, or after its commit without hearing of it."""

    def __init__(self, database, dies_at, before):
        self._database = database
        self._dies_at = dies_at
        self._before = before
        self.writes = 0
        self.dead = asyncio.Event()

    async def write(self, work, **how):
        await self._unless_dead()
        self.writes += 1
        if self.writes != self._dies_at:
            return await self._database.write(work, **how)
        if not self._before:
            await self._database.write(work, **how)
        self.dead.set()
        return await self._unless_dead()

    async def read(self, work):
        await self._unless_dead()
        return await self._database.read(work)

    def listen(self, told):
        return self._database.listen(told)

    async def _unless_dead(self):
        if self.dead.is_set():
            await asyncio.Event().wait()


class World:
    """What outlives a process: how often each effect happened."""

    def __init__(self):
        self.effects = Counter()

    async def step(self, number):
        self.effects[number] += 1
        return number

    async def flaky(self):
        self.effects["flaky"] += 1
        if self.effects["flaky"] % 2:
            raise TemporaryError("not yet")
        return "at last"


async def life(url, world, dies_at, *, before):
    """One process: it starts, says what has to be said, and works until the end, or to its own. How many writes it made."""
    database = Database(url)
    mortal = MortalDatabase(database, dies_at, before)
    activities = {"step": world.step, "flaky": world.flaky}
    core = SqlDurableCore(database=mortal, workflows={"w": workflow}, activities=activities, poll=0.02, lease=0.25)
    dying, living = asyncio.create_task(mortal.dead.wait()), asyncio.create_task(_work(core))
    await asyncio.wait({dying, living}, return_when=asyncio.FIRST_COMPLETED)
    everybody = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if not mortal.dead.is_set():
        living.result()
        check = SqlDurableCore(database=database, workflows={"w": workflow}, activities={})
        await _check(check)
    mortal.dead.set()
    for task in everybody:
        task.cancel()
    await asyncio.gather(*everybody, return_exceptions=True)
    await database.close()
    return mortal.writes


async def _work(core):
    await core.start()
    for id, payload in zip("123", "abc", strict=True):
        said = a_signal_or_start("w", "w", "s", payload, input={"signals": [], "rounds": 0})
        await core.dispatch(replace(said, id=id))
    while (run := await ended(core, "w")).result is None:
        assert run.error is None
        await asyncio.sleep(0.01)  # the first of its two runs has ended
    await core.stop()


async def _check(core):
    runs = await core.list()
    assert len(runs) == 2
    assert runs[0].result == EXPECTED
    for run in runs:
        await core.replay("w", run.run_id)


@pytest.fixture
def another(request, tmp_path):
    """Gives the URL of a database of each kind with nothing in it, as often as it is asked for one."""
    with fresh_sqlite(tmp_path) if request.param == "sqlite" else fresh_postgresql() as url:
        database = Database(url)
        migrate(database)

        def emptied():
            with database.transaction() as connection:
                empty(connection)
            return url

        yield emptied
        asyncio.run(database.close())


@pytest.mark.parametrize(
    ("another", "before"),
    [("sqlite", True), ("sqlite", False), ("postgresql", False)],
    ids=["before the commit", "after the commit", "after PostgreSQL's commit"],
    indirect=["another"],
)
def test_run_killed_at_any_commit_point_comes_to_the_same_end(another, before):
    """Every commit point, one after another; effects happen once, and once more at most for each death."""
    undisturbed = World()
    total = asyncio.run(life(another(), undisturbed, 0, before=before))
    assert total > 15
    for point in itertools.count(1):
        url, world = another(), World()
        if asyncio.run(life(url, world, point, before=before)) < point:
            break  # it lived: that was all there are
        asyncio.run(life(url, world, 0, before=before))
        again = sum(world.effects.values()) - sum(undisturbed.effects.values())
        assert 0 <= again <= 4, f"killed at {point}: {world.effects}"
    assert point > 15
