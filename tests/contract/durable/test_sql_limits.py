"""Bad days of the embedded engine: too much work, a full disk, a database away, a schema of another version, long histories."""

from __future__ import annotations

import asyncio
import sys

import pytest
from sqlalchemy import event, select, text

from gateway.durable import EngineFull
from gateway.durable.sql import SqlDurableCore, processes, resident
from gateway.durable.sql.owners import beats, register
from gateway.durable.sql.processes import is_gone, this_machine, this_process
from gateway.durable.sql.tables import owners
from gateway.errors import DatabaseOutdated, DatabaseUnavailable
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.builders import a_signal, a_start, ended, result_of, until
from tests.servers.need import need
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sqlite(tmp_path):
    """A migrated SQLite database."""
    database = Database(f"sqlite:///{tmp_path}/admit.db", patience=0.2)
    migrate(database)
    yield database
    await database.close()


def a_core(database, workflows, activities=None, **options):
    return SqlDurableCore(database=database, workflows=workflows, activities=activities or {}, **{"poll": 0.05, "lease": 5.0, **options})


async def wait_for_end(ctx, input):
    await ctx.wait_signal("end")
    return "ended"


async def test_full_engine_refuses_starts_with_when_to_come_back(sqlite):
    """And takes signals all the same, which is how it gets room again."""
    release = asyncio.Event()

    async def block():
        await release.wait()

    async def busy(ctx, input):
        await ctx.activity("block", timeout=3600)

    core = a_core(sqlite, {"busy": busy}, {"block": block}, concurrency=1, backlog=3)
    await core.start()
    try:

        async def refused():
            try:
                await core.dispatch(a_start(f"w{asyncio.get_running_loop().time()}", "busy"))
            except EngineFull as problem:
                return problem

        problem = await until(refused)
        assert problem.retry_after > 0
        await core.dispatch(a_signal("nobody", "s"))
        release.set()
        await until(lambda: _nothing_waits(core))
        await core.dispatch(a_start("again", "busy"))
        assert (await ended(core, "again")).status == "completed"
    finally:
        await core.stop()


async def _nothing_waits(core):
    state = await core.queue()
    return not state.waiting and not state.running


async def test_engine_sits_out_a_full_disk(sqlite):
    """A run whose result cannot be written waits, its activity is not run again, and it goes on when there is room."""
    calls = []

    async def work():
        calls.append("work")
        await asyncio.to_thread(fill, sqlite)
        return "x" * 200_000

    async def workflow(ctx, input):
        await ctx.activity("work")
        return "done"

    core = a_core(sqlite, {"w": workflow}, {"work": work}, lease=3600.0)
    await core.start()
    try:
        await core.dispatch(a_start("w", "w"))
        run = await core.result("w", timeout=1.5)
        assert not run.status.ended
        await asyncio.to_thread(make_room, sqlite)
        assert await result_of(core, "w") == "done"
        assert calls == ["work"]
    finally:
        await core.stop()


def fill(database):
    """No page more, on any connection."""
    event.listen(database.engine, "begin", _no_page_more)


def make_room(database):
    event.remove(database.engine, "begin", _no_page_more)
    event.listen(database.engine, "begin", _pages_again)


def _no_page_more(connection):
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def _pages_again(connection):
    connection.exec_driver_sql("PRAGMA max_page_count=1000000")


async def test_engine_sits_out_a_database_that_is_away(tmp_path):
    """Longer than a write is patient: what was under way is written once it is back, once."""
    need("postgresql")
    calls, away = [], asyncio.Event()
    with PostgreSQL() as server:
        server.run("CREATE DATABASE admit")
        database = Database(server.url("admit"), patience=0.5)
        migrate(database)

        async def work():
            calls.append("work")
            await asyncio.to_thread(server.kill)
            away.set()
            return "worked"

        async def workflow(ctx, input):
            first = await ctx.activity("work")
            await ctx.sleep(0.1)
            return first

        core = a_core(database, {"w": workflow}, {"work": work})
        await core.start()
        try:
            await core.dispatch(a_start("w", "w"))
            await asyncio.wait_for(away.wait(), 240)
            with pytest.raises(DatabaseUnavailable, match="the database did not do it") as told:
                await core.dispatch(a_start("meanwhile", "w"))
            assert told.value.advice == "see that the database runs and answers, then try again; nothing that was acknowledged is lost"
            await asyncio.sleep(10)  # it is away for so long, whatever else happens
            await asyncio.to_thread(server.start)
            assert await result_of(core, "w") == "worked"
            assert calls == ["work"]
        finally:
            await core.stop()
            await database.close()


async def test_engine_does_not_start_on_a_schema_of_another_version(tmp_path):
    """It names the command to run."""
    database = Database(f"sqlite:///{tmp_path}/admit.db")
    try:
        core = a_core(database, {})
        with pytest.raises(DatabaseOutdated) as empty:
            await core.start()
        assert empty.value.advice == "run: admit migrate"
        migrate(database)
        await database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        with pytest.raises(DatabaseOutdated) as newer:
            await core.start()
        assert "update admit" in newer.value.advice
    finally:
        await database.close()


async def test_history_that_grows_without_end_is_ended(sqlite, monkeypatch):
    """Visibly, with what to do; the limit is part of the history."""
    monkeypatch.setattr(resident, "HISTORY_LIMIT", 30)

    async def endless(ctx, input):
        while True:
            await ctx.sleep(0.001)

    core = a_core(sqlite, {"endless": endless})
    await core.start()
    try:
        await core.dispatch(a_start("w", "endless"))
        run = await ended(core, "w")
        assert run.error.startswith("HistoryTooLong: ")
        assert "continues as new" in run.error
        await core.replay("w")
    finally:
        await core.stop()


async def test_run_that_is_ready_later_is_counted(sqlite):
    """A delayed start, or what rests after a fault: else the work would look done."""
    core = a_core(sqlite, {"w": wait_for_end})
    await core.dispatch(a_start("later", "w", delay=3600))
    await core.dispatch(a_start("now", "w"))
    state = await core.queue()
    assert (state.waiting, state.running, state.parked) == (1, 0, 1)


async def test_old_runs_are_forgotten_by_themselves(sqlite):
    """Once they are older than they are kept."""
    core = a_core(sqlite, {"w": wait_for_end}, retention=0.0, lease=0.4)
    await core.dispatch(a_start("w", "w"))
    await core.dispatch(a_signal("w", "end"))
    await core.start()
    try:

        async def forgotten():
            return not await core.list()

        await until(forgotten)
    finally:
        await core.stop()


async def test_dead_process_of_this_machine_is_noticed_at_once(sqlite):
    """A restart does not wait out the lease of what it replaces."""
    if this_machine() is None:
        pytest.skip("only Linux tells")
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(3600)")
    try:
        await sqlite.write(lambda c: register(c, "dead", 0))
        started = f"{child.pid} {processes._started(child.pid)}"
        await sqlite.write(lambda c: c.execute(owners.update().values(process=started)))
        assert not is_gone(this_machine(), started)
    finally:
        child.kill()
        await child.wait()
    assert is_gone(this_machine(), started)
    core = a_core(sqlite, {"w": wait_for_end}, lease=3600.0)
    await core.start()
    try:
        assert "dead" not in await sqlite.read(beats)
    finally:
        await core.stop()


async def test_process_that_lives_or_is_elsewhere_is_left_alone(sqlite):
    """Its beat decides, over a whole lease."""
    await sqlite.write(lambda c: register(c, "alive", 0))
    await sqlite.write(lambda c: register(c, "elsewhere", 0))
    await sqlite.write(lambda c: c.execute(owners.update().where(owners.c.owner == "elsewhere").values(machine="other", process="1 1")))
    core = a_core(sqlite, {}, lease=3600.0)
    await core.start()
    try:
        known = await sqlite.read(lambda c: set(c.scalars(select(owners.c.owner))))
        assert {"alive", "elsewhere"} < known
        assert this_process() is None or this_process().split()[0].isdecimal()
    finally:
        await core.stop()
