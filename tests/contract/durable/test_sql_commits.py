"""How many commits a run takes: what it costs on a disk that is slow, whatever the machine."""

from __future__ import annotations

import pytest

from gateway.durable.sql import SqlDurableCore
from tests.contract.durable.builders import Calls, a_start, kinds, result_of

pytestmark = pytest.mark.anyio


class CountingDatabase:
    """A database, and how often it was written to by whom the count is about."""

    def __init__(self, database):
        self._database = database
        self.writes = 0

    async def write(self, work, **how):
        self.writes += 1
        return await self._database.write(work, **how)

    async def read(self, work):
        return await self._database.read(work)

    def listen(self, told):
        return self._database.listen(told)


async def three(ctx, input):
    first = await ctx.activity("note", input)
    second = await ctx.activity("note", first + 1)
    return await ctx.activity("note", second + 1)


async def test_three_activities_are_four_commits(database):
    """Start and first intent; each result with the next intent; the last result with the end."""
    counting, calls = CountingDatabase(database), Calls()
    core = SqlDurableCore(database=counting, workflows={"three": three}, activities={"note": calls.note}, poll=60.0, lease=3600.0)
    await core.start()
    try:
        before = counting.writes
        await core.dispatch(a_start("w", "three", 1))
        assert await result_of(core, "w") == 3
        assert counting.writes - before == 4
        assert calls.made == [1, 2, 3]
        activity = ["ActivityScheduled", "ActivityCompleted"]
        assert await kinds(core, "w") == ["WorkflowStarted", *activity, *activity, *activity, "WorkflowCompleted"]
    finally:
        await core.stop()


async def test_first_step_is_thought_out_again_by_whoever_takes_the_run(database):
    """There was no room where it was handed in: it is not lost, and not recorded twice."""
    calls = Calls()
    here = SqlDurableCore(database=database, workflows={"three": three}, activities={"note": calls.note}, poll=0.05)
    await here.dispatch(a_start("w", "three", 1))  # not started yet: nothing is taken
    assert await kinds(here, "w") == ["WorkflowStarted"]
    await here.start()
    try:
        assert await result_of(here, "w") == 3
        assert (await kinds(here, "w")).count("ActivityScheduled") == 3
    finally:
        await here.stop()
