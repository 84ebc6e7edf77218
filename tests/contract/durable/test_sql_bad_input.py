"""What the embedded engine is told and cannot do, each with its whole message: the exam and the unit tests know the rest."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from gateway.durable import PayloadTooLarge, UnknownWorkflow
from gateway.durable.sql import SqlDurableCore
from gateway.durable.sql.owners import beats
from gateway.errors import DatabaseOutdated, DatabaseUnavailable
from gateway.storage import Database
from gateway.storage.migrations import history, migrate
from tests.contract.durable.builders import a_signal, a_start, ended, quick, result_of, until
from tests.contract.durable.test_sql_limits import fill, make_room

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sqlite(tmp_path):
    """A migrated SQLite database that is not patient."""
    database = Database(f"sqlite:///{tmp_path}/admit.db", patience=0.2)
    migrate(database)
    yield database
    await database.close()


async def do_nothing():
    """An activity nobody asks for."""


async def work_once(ctx, input):
    return await ctx.activity("work", input, schedule=quick(3600))


def a_core(database, activities=None, **options):
    return SqlDurableCore(
        database=database, workflows={"w": work_once}, activities=activities or {}, **{"poll": 0.05, "lease": 60, **options}
    )


async def test_unknown_workflow_is_named_beside_those_there_are(sqlite):
    """At the door, and when somebody asks for its run."""
    core = a_core(sqlite)
    with pytest.raises(UnknownWorkflow) as start:
        await core.dispatch(a_start("v", "v"))
    assert str(start.value) == "no workflow 'v'; there are w"
    with pytest.raises(UnknownWorkflow) as ask:
        await core.describe("v", "r")
    assert str(ask.value) == "no run of workflow 'v' with the id 'r'"


async def test_unknown_activity_waits_and_says_which(sqlite):
    """The next release may have it."""
    core = a_core(sqlite, {"wait": do_nothing, "rest": do_nothing})
    await core.start()
    try:
        await core.dispatch(a_start("w", "w"))
        run = await until(lambda: _waiting(core))
        assert run.error == "work: UnknownActivity: no activity 'work' here; this code knows rest, wait"
    finally:
        await core.stop()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("x" * 5_000_000, "expected at most 262144 bytes of JSON, found 5000002; pass the digest of a blob"),
        ({1, 2}, "expected a JSON value, found one that is not: Object of type set is not JSON serializable"),
        (float("inf"), "expected a JSON value, found one that is not: Out of range float values are not JSON compliant"),
    ],
    ids=["5 MB", "a set", "infinity"],
)
async def test_payload_no_history_could_hold_is_refused_at_the_door(sqlite, payload, message):
    """An input and a signal alike; nothing is written."""
    core = a_core(sqlite)
    with pytest.raises(PayloadTooLarge) as start:
        await core.dispatch(a_start("w", "w", payload))
    assert str(start.value).startswith(f"the input: {message}")
    with pytest.raises(PayloadTooLarge) as said:
        await core.dispatch(a_signal("w", "s", payload))
    assert str(said.value).startswith(f"the signal's payload: {message}")
    assert await core.list() == []


async def test_database_of_another_version_is_refused_with_what_to_do(tmp_path):
    """Empty, older and newer: nothing is taken from it."""
    database = Database(f"sqlite:///{tmp_path}/admit.db")
    try:
        await _refused(database, "the database is empty", "run: admit migrate")
        oldest = list(history().walk_revisions())[-1].revision
        migrate(database, to=oldest)
        await _refused(database, "the database is older than this version of admit", "run: admit migrate")
        migrate(database)
        await database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        await _refused(database, "the database is newer than this version of admit", "update admit; migrations do not run backwards")
    finally:
        await database.close()


async def _refused(database, message, advice):
    with pytest.raises(DatabaseOutdated) as problem:
        await a_core(database).start()
    assert (str(problem.value), problem.value.advice) == (message, advice)


async def test_full_disk_is_told_to_who_hands_in_and_nothing_acknowledged_is_lost(sqlite):
    """What was begun before goes on when there is room."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(value):
        begun.set()
        await go_on.wait()
        return value

    core = a_core(sqlite, {"work": work})
    await core.start()
    try:
        await core.dispatch(a_start("before", "w", "x" * 100_000))
        await asyncio.wait_for(begun.wait(), 240)
        await asyncio.to_thread(fill, sqlite)
        with pytest.raises(DatabaseUnavailable) as full:
            await core.dispatch(a_start("refused", "w", "x" * 200_000))
        assert str(full.value) == "the database did not do it: database or disk is full"
        assert full.value.advice == "free some disk space; nothing that was acknowledged is lost"
        await asyncio.to_thread(make_room, sqlite)
        go_on.set()
        assert await result_of(core, "before") == "x" * 100_000
        with pytest.raises(UnknownWorkflow):
            await core.describe("refused")
    finally:
        await core.stop()


async def test_two_engines_of_one_name_are_two_owners(sqlite):
    """Their names in the database say which is which."""
    left, right = a_core(sqlite, owner="gate"), a_core(sqlite, owner="gate")
    await left.start()
    await right.start()
    try:
        known = await sqlite.read(beats)
        assert len(known) == 2
        assert all(name.startswith("gate#") for name in known)
    finally:
        await left.stop()
        await right.stop()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "TimerFired",
            'history: event 2: TimerFired {"command":"7"}; code: command 1: ActivityScheduled {"activity":"work","arguments":[null]}',
        ),
        ("Teleported", "history: event 2 is 'Teleported', which this code does not know; code: older than it, update admit"),
    ],
    ids=["edited by hand", "of newer code"],
)
async def test_run_whose_history_does_not_fit_says_where_and_can_be_cancelled(sqlite, kind, message):
    """An event in its history that no code asked for, or none of this code's."""
    core = a_core(sqlite)
    await core.dispatch(a_start("edited", "w"))
    run = await core.describe("edited")
    insert = "INSERT INTO workflow_event (run_id, sequence, at, kind, attributes) VALUES (:run, 2, 1, :kind, :attributes)"
    row = {"run": run.run_id, "kind": kind, "attributes": '{"command":"7"}'}
    await sqlite.write(lambda c: c.execute(text(insert), row))
    await core.start()
    try:
        stuck = await until(lambda: _waiting(core))
        assert stuck.error == f"NonDeterministic: {message}"
        await core.cancel("edited", by="ana")
        assert (await ended(core, "edited")).error == "cancelled by ana"
    finally:
        await core.stop()


async def _waiting(core):
    found = [run for run in await core.list() if run.status == "parked" and run.error is not None]
    return found[0] if found else None
