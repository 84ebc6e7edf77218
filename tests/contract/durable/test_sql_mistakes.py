"""The mistakes an engine like this makes first, each as a test, on every database.

Forgotten signals and the order of signals are in the exam; here is what only shows below the port.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.dispatch import Dispatch
from gateway.durable import HistoryEvent, WorkflowStatus
from gateway.durable.sql import SqlDurableCore
from gateway.durable.sql.appending import Append, End, Park, Verdict, write_appends
from gateway.durable.sql.beginning import begin_runs
from gateway.durable.sql.claims import claim
from gateway.durable.sql.inbox import put_in_inboxes, read_inboxes
from gateway.durable.sql.intake import Intake
from gateway.durable.sql.owners import beats, bury
from gateway.durable.sql.tables import events, inbox, owners, runs
from gateway.storage import Database
from gateway.storage.columns import from_ms, metadata
from gateway.storage.dispatches import write_dispatches
from tests.contract.durable.builders import Calls, a_start, kinds, result_of, until
from tests.contract.durable.rows import a_new_run, a_signal_row, an_event

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000_123
FAR = from_ms(NOW + 10**9)


async def owned(database, *run_ids, owner="me"):
    """Runs that are this owner's and running."""

    def make(connection):
        begin_runs(connection, [a_new_run(run_id, at_ms=NOW) for run_id in run_ids])
        connection.execute(update(runs).where(runs.c.run_id.in_(run_ids)).values(owner=owner, status="running", wake_at=None))

    await database.write(make)


async def rows_of(database, query):
    return await database.read(lambda connection: connection.execute(query).all())


async def test_run_does_not_park_over_a_signal_it_has_not_seen(database):
    """Else the wake-up is lost for ever."""
    await owned(database, "r")
    await database.write(lambda connection: put_in_inboxes(connection, [a_signal_row("r")], NOW))
    park = Append(run_id="r", events=(), settlement=Park(wake_at=None), seen=0)
    assert await database.write(lambda c: write_appends(c, [park], "me")) == [Verdict.MOVED]
    park = Append(run_id="r", events=(), settlement=Park(wake_at=None), seen=1)
    assert await database.write(lambda c: write_appends(c, [park], "me")) == [Verdict.WRITTEN]


async def test_signal_to_a_parked_run_makes_it_ready_in_the_same_statement(database):
    """Due at once, on databases that assign from left to right too."""
    await owned(database, "r")
    park = Append(run_id="r", events=(), settlement=Park(wake_at=FAR), seen=0)
    await database.write(lambda c: write_appends(c, [park], "me"))
    await database.write(lambda c: put_in_inboxes(c, [a_signal_row("r"), a_signal_row("r")], NOW))
    [row] = await rows_of(database, select(runs.c.status, runs.c.wake_at, runs.c.signals))
    assert tuple(row) == ("ready", NOW, 2)


async def test_signal_does_not_hurry_a_delayed_start(database):
    """What is ready later stays so."""
    later = a_new_run("r", at_ms=NOW, wake_at_ms=NOW + 5000)
    await database.write(lambda c: begin_runs(c, [later]))
    await database.write(lambda c: put_in_inboxes(c, [a_signal_row("r")], NOW))
    [row] = await rows_of(database, select(runs.c.status, runs.c.wake_at))
    assert tuple(row) == ("ready", NOW + 5000)


async def test_end_is_refused_over_a_signal_it_has_not_seen_and_writes_nothing(database):
    """Not even its events."""
    await owned(database, "r")
    await database.write(lambda c: put_in_inboxes(c, [a_signal_row("r")], NOW))
    end = Append(run_id="r", events=(an_event(2),), settlement=End(status=WorkflowStatus.COMPLETED, at=from_ms(NOW)), seen=0)
    assert await database.write(lambda c: write_appends(c, [end], "me")) == [Verdict.MOVED]
    assert len(await rows_of(database, select(events))) == 1


async def test_zombie_is_fenced_though_it_would_be_first(database):
    """The number after the last is free, and still it is not written."""
    await owned(database, "mine", owner="me")
    await owned(database, "taken", owner="other")
    batch = [Append(run_id="mine", events=(an_event(2),)), Append(run_id="taken", events=(an_event(2),))]
    assert await database.write(lambda c: write_appends(c, batch, "me")) == [Verdict.WRITTEN, Verdict.FENCED]
    written = await rows_of(database, select(events.c.run_id).where(events.c.sequence == 2))
    assert [row.run_id for row in written] == ["mine"]


async def test_append_whose_answer_was_lost_is_not_doubled(database):
    """The commit happened, the connection went away before it could say so."""
    await owned(database, "r")
    append = Append(run_id="r", events=(an_event(2), an_event(3)))
    for uncertain in (False, True):
        verdicts = await database.write(lambda c, u=uncertain: write_appends(c, [append], "me", uncertain=u))
        assert verdicts == [Verdict.WRITTEN]
    assert len(await rows_of(database, select(events))) == 3


async def test_due_times_are_whole_milliseconds(database):
    """A 24-bit float would never be due."""
    await owned(database, "r")
    moment = datetime(2026, 11, 24, 17, 0, 0, 123_000, tzinfo=UTC)
    await database.write(lambda c: write_appends(c, [Append(run_id="r", events=(), settlement=Park(wake_at=moment))], "me"))
    just_before, just_then = (round(moment.timestamp() * 1000) + offset for offset in (-1, 0))
    assert await database.write(lambda c: claim(c, "me", just_before, 10)) == []
    assert [run_id for run_id, _, _ in await database.write(lambda c: claim(c, "me", just_then, 10))] == ["r"]


async def test_two_processes_never_claim_the_same_run(database, migrated_url):
    """Nor does either deadlock the other, in whatever order they come."""
    other = Database(migrated_url)
    try:
        ids = [f"r{number:03}" for number in range(60)]
        await database.write(lambda c: begin_runs(c, [a_new_run(run_id, at_ms=NOW) for run_id in ids]))

        async def take_all(where, owner):
            mine = []
            while taken := await where.write(lambda c: claim(c, owner, NOW, 7)):
                mine += [run_id for run_id, _, _ in taken]
            return mine

        left, right = await asyncio.gather(take_all(database, "left"), take_all(other, "right"))
        while len(left) + len(right) < len(ids):  # one may have seen nothing but what the other was taking
            left += await take_all(database, "left")
        assert sorted(left + right) == ids
    finally:
        await other.close()


async def test_appends_and_signals_from_two_processes_do_not_deadlock(database, migrated_url):
    """Many rows at once in opposite orders: every write gets through, every signal is counted."""
    other = Database(migrated_url)
    try:
        ids = [f"r{number:02}" for number in range(20)]
        await owned(database, *ids)

        async def append(number):
            batch = [Append(run_id=run_id, events=(an_event(number),)) for run_id in ids]
            return await database.write(lambda c: write_appends(c, batch, "me"))

        async def signal(number):
            await other.write(lambda c: put_in_inboxes(c, [a_signal_row(run_id, number) for run_id in reversed(ids)], NOW))

        for number in range(2, 12):
            verdicts, *_ = await asyncio.gather(append(number), signal(number))
            assert set(verdicts) == {Verdict.WRITTEN}
        found = await database.read(lambda c: read_inboxes(c, ids))
        assert {counter for counter, _ in found.values()} == {10}
        assert all([entry.payload for entry in entries] == list(range(2, 12)) for _, entries in found.values())
    finally:
        await other.close()


async def test_signal_taken_while_its_run_continues_as_new_goes_to_the_new_run(database):
    """Whoever waited for the old run's row does not see the new one in the same look."""
    await owned(database, "old")
    dispatch = Dispatch(id="d", workflow_id="old", workflow_type=None, signal="s", payload=1)
    await database.write(lambda c: write_dispatches(c, [dispatch], now_ms=NOW))
    successor = replace(a_new_run("new", at_ms=NOW), workflow_id="old", continues="old")
    end = End(status=WorkflowStatus.COMPLETED, at=from_ms(NOW), successor=successor)
    with database.engine.connect() as ending:
        ending = ending.execution_options(admit_writes=True)
        ending.begin()
        write_appends(ending, [Append(run_id="old", events=(), settlement=end)], "me")
        taking = asyncio.create_task(database.write(_take))
        await asyncio.sleep(0.3)  # it waits for the row now; if it came late, it has less to get wrong
        ending.commit()
    assert (await taking).signalled == {"new"}
    [row] = await rows_of(database, select(inbox.c.run_id))
    assert row.run_id == "new"


def _take(connection):
    intake = Intake(connection, NOW)
    intake.add_outbox()
    intake.say()
    return intake


async def test_numbers_of_the_inbox_are_not_used_again(database):
    """A run that has read up to one would overlook the next of the same number."""
    await owned(database, "r")
    first = await _put_and_read(database)
    await database.write(lambda c: c.execute(inbox.delete()))
    assert await _put_and_read(database) > first


async def _put_and_read(database):
    await database.write(lambda c: put_in_inboxes(c, [a_signal_row("r")], NOW))
    [row] = await rows_of(database, select(inbox.c.ord))
    return row.ord


def test_index_and_constraint_names_are_unique_in_the_whole_schema():
    """They are global in PostgreSQL."""
    names = [index.name for table in metadata.tables.values() for index in table.indexes]
    names += [constraint.name for table in metadata.tables.values() for constraint in table.constraints if constraint.name]
    assert len(names) == len(set(names))


# --- zombies, whole ------------------------------------------------------------------------


async def one_activity(ctx, input):
    return await ctx.activity("work", timeout=3600)


def a_core(database, work, **options):
    return SqlDurableCore(
        database=database, workflows={"w": one_activity}, activities={"work": work}, **{"poll": 0.05, "lease": 2.0, **options}
    )


async def test_zombies_result_is_not_recorded(database):
    """Its activity and the new owner's overlap, which nobody can prevent; its result does not count."""
    calls, release = Calls(), asyncio.Event()

    async def zombies_work():
        await calls.note("zombie")
        await release.wait()
        return "zombie"

    async def work():
        return await calls.note("heir")

    zombie = a_core(database, zombies_work, lease=3600.0, poll=3600.0)  # it does not look up from its work
    heir = a_core(database, work, lease=3600.0)
    await zombie.start()
    try:
        await zombie.dispatch(a_start("w", "w"))
        await until(lambda: _made(calls))
        [(owner, beat)] = (await database.read(beats)).items()
        assert await database.write(lambda c: bury(c, owner, beat, NOW)) == 1
        await heir.start()
        assert await result_of(heir, "w") == "heir"
        release.set()
        await until(lambda: _empty(zombie))
        assert (await kinds(heir, "w")).count("ActivityCompleted") == 1
        assert (await heir.describe("w")).result == "heir"
        assert calls.made == ["zombie", "heir"]
    finally:
        release.set()
        await zombie.stop()
        await heir.stop()


async def _made(calls):
    return calls.made


async def _empty(core):
    return not core._worker._residents


async def test_process_taken_for_dead_begins_again_under_a_new_name(database):
    """It goes on working, and what it does then counts."""

    async def work():
        return "done"

    core = a_core(database, work, lease=0.4)
    await core.start()
    try:
        [(owner, beat)] = (await database.read(beats)).items()
        for _ in range(100):  # it may beat between our look and our claim
            if await database.write(lambda c: bury(c, owner, (c.execute(select_beat(owner)).scalar() or beat), NOW)) is not None:
                break

        async def renamed():
            return [other for other in await database.read(beats) if other != owner]

        await until(renamed)
        await core.dispatch(a_start("w", "w"))
        assert await result_of(core, "w") == "done"
    finally:
        await core.stop()


def select_beat(owner):
    return select(owners.c.beat).where(owners.c.owner == owner)


async def test_process_taken_for_dead_claims_nothing_under_its_old_name(database):
    """Nobody would watch over what it claims; it finds out at once, not at its next beat."""

    async def work():
        return "done"

    core = a_core(database, work, lease=3600.0)
    await core.start()
    try:
        [(owner, beat)] = (await database.read(beats)).items()
        assert await database.write(lambda c: bury(c, owner, beat, NOW)) == 0
        await core.dispatch(a_start("w", "w"))
        assert await result_of(core, "w") == "done"
        assert owner not in await database.read(beats)
    finally:
        await core.stop()


async def test_two_engines_of_one_name_do_not_take_each_other_for_themselves(database):
    """Each is its own owner."""

    async def work():
        return "done"

    left, right = a_core(database, work, owner="same"), a_core(database, work, owner="same")
    await left.start()
    await right.start()
    try:
        assert len(await database.read(beats)) == 2
        for number in range(10):
            await left.dispatch(a_start(f"w{number}", "w"))
        assert [await result_of(right, f"w{number}") for number in range(10)] == ["done"] * 10
    finally:
        await left.stop()
        await right.stop()


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
async def test_wall_clock_that_jumps_an_hour_does_no_harm(database, monkeypatch, jump):
    """Timers neither fire early nor wait for the clock to catch up, and nobody is taken for dead."""
    import time

    real = time.time

    async def work():
        monkeypatch.setattr(time, "time", lambda: real() + jump.total_seconds())
        return "jumped"

    async def workflow(ctx, input):
        before = ctx.now()
        await ctx.activity("work")
        await ctx.sleep(0.5)
        await ctx.wait_signal("never", timeout=0.5)
        return (ctx.now() - before).total_seconds()

    core = SqlDurableCore(database=database, workflows={"w": workflow}, activities={"work": work}, poll=0.05, lease=0.8)
    await core.start()
    try:
        owner = list(await database.read(beats))
        await core.dispatch(a_start("w", "w"))
        assert 1.0 <= await result_of(core, "w") < 600
        assert list(await database.read(beats)) == owner
    finally:
        await core.stop()


async def test_run_lost_from_memory_by_a_fault_is_taken_up_again(database):
    """What is ours and not here is let go of, so that it does not wait for this process to die."""

    async def work():
        return "done"

    core = a_core(database, work)
    await core.start()
    try:
        [owner] = await database.read(beats)
        await owned(database, "r", owner=owner)

        async def released():
            [row] = await rows_of(database, select(runs.c.status))
            return row.status != "running"

        await until(released)
    finally:
        await core.stop()


async def test_history_edited_by_hand_stops_that_run_alone(database):
    """The others of the same batch are written, and the engine goes on."""

    async def work():
        return "done"

    core = a_core(database, work)
    await core.dispatch(a_start("edited", "w"))
    run = await core.describe("edited")
    extra = HistoryEvent(sequence=2, at=from_ms(NOW), kind="TimerFired", attributes={"command": "7"})
    await database.write(
        lambda c: c.execute(
            events.insert().values(run_id=run.run_id, sequence=extra.sequence, at=NOW, kind=extra.kind, attributes='{"command":"7"}')
        )
    )
    await core.start()
    try:
        await core.dispatch(a_start("well", "w"))
        assert await result_of(core, "well") == "done"

        async def stuck():
            return (await core.describe("edited")).error

        assert (await until(stuck)).startswith('NonDeterministic: history: event 2: TimerFired {"command":"7"}; code: command 1')
    finally:
        await core.stop()
