"""How many commits a run takes: what it costs on a disk that is slow, whatever the machine."""

from __future__ import annotations

import itertools

import pytest

from gateway.durable.sql import SqlDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.builders import Calls, a_start, ended, kinds, result_of
from tests.servers.postgresql import fresh_postgresql

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


async def test_each_commit_is_two_round_trips_to_postgresql(tmp_path):
    """One to look, one to write and commit: counted by what goes out and comes back on the writer's connection."""
    with fresh_postgresql() as url, (tmp_path / "wire").open("w+b") as wire:
        database, calls = Database(url), Calls()
        migrate(database)
        core = SqlDurableCore(database=database, workflows={"w": three}, activities={"note": calls.note}, poll=600.0, lease=3600.0)
        await core.start()
        try:
            await core.dispatch(a_start("first", "w", 1))
            await ended(core, "first")
            await database.write(lambda connection: _traced(connection, wire))
            told = len(_turns(wire))
            await core.dispatch(a_start("second", "w", 1))
            await ended(core, "second")
            assert _turns(wire)[told:].count("F") == 2 * 4
        finally:
            await core.stop()
            await database.close()


def _traced(connection, wire):
    connection.connection.driver_connection.pgconn.trace(wire.fileno())


def _turns(wire):
    """Who spoke, in turn: F, the gateway; B, the server."""
    wire.seek(0)
    spoke = [line.split(b"\t")[1].decode() for line in wire if line.count(b"\t") > 1]
    return [who for who, _ in itertools.groupby(spoke)]


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
