"""Which dispatch belongs to which run, and whose a start key is: the same answers from every database."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from gateway.domain.dispatch import Dispatch
from gateway.durable.temporal.claims import claim, claims, forget, keep_key, keyed_runs, mark_taken, overdue, release, reserve, waiting
from gateway.storage import Database
from gateway.storage.dispatches import write_dispatches

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database):
    """With no claims of an earlier test in it."""
    await database.write(lambda connection: connection.execute(claims.delete()))
    return database


def a_dispatch(id, **rest):
    """To workflow w."""
    return Dispatch(id=id, workflow_id="w", workflow_type="w", **rest)


async def written(database, *dispatches):
    """In the outbox, as the relay reads them."""
    await database.write(partial(write_dispatches, batch=dispatches, now_ms=1000))
    return await database.read(partial(waiting, limit=100))


def claiming(ids, run_id):
    """The unit of work."""
    return partial(claim, dispatch_ids=ids, run_id=run_id, workflow_id="w", now_ms=2000)


async def test_first_run_to_claim_a_dispatch_keeps_it(database):
    """Asked again it is still its own; another run is told."""
    assert await database.write(claiming(["a", "b"], "r1")) == set()
    assert await database.write(claiming(["b", "a"], "r1")) == set()
    assert await database.write(claiming(["b", "c"], "r2")) == {"b"}
    assert await database.write(claiming(["c"], "r1")) == {"c"}


async def test_of_two_processes_that_claim_at_once_one_gets_it(database, migrated_url):
    """Each on a connection of its own, many times over."""
    other = Database(migrated_url)
    try:
        for number in range(20):
            ids = [f"{number}-{each}" for each in range(5)]
            left, right = await asyncio.gather(database.write(claiming(ids, "left")), other.write(claiming(ids[::-1], "right")))
            assert (left, right) in [(set(), set(ids)), (set(ids), set())]
    finally:
        await other.close()


async def test_claimed_dispatch_is_known_to_the_relay_as_done(database):
    """Whatever became of its row."""
    await written(database, a_dispatch("a"), a_dispatch("b"))
    await database.write(claiming(["a"], "r1"))
    found = await database.read(partial(waiting, limit=100))
    assert [(each.id, each.done) for each in found] == [("a", True), ("b", False)]
    assert await database.read(overdue) == (2, 1000)
    await database.write(lambda connection: mark_taken(connection, found))
    assert await database.read(overdue) == (0, None)


async def test_start_key_belongs_to_the_dispatch_that_reserved_it(database):
    """Until it comes to nothing; never to another once a run has claimed it."""
    first, second = await written(database, a_dispatch("a", start_key="k"), a_dispatch("b", start_key="k"))
    assert await database.write(partial(reserve, dispatch=first, now_ms=1))
    assert await database.write(partial(reserve, dispatch=first, now_ms=1))
    assert not await database.write(partial(reserve, dispatch=second, now_ms=1))
    await database.write(partial(release, dispatch=first))
    assert await database.write(partial(reserve, dispatch=second, now_ms=1))
    await database.write(claiming(["b"], "r1"))
    await database.write(partial(release, dispatch=second))
    assert not await database.write(partial(reserve, dispatch=first, now_ms=1))
    assert await database.read(partial(keyed_runs, before_ms=3000, limit=10)) == [("b", "w", "r1")]


async def test_claims_are_forgotten_and_start_keys_only_when_named(database):
    """A key outlives its dispatch for as long as its run is kept."""
    [first] = await written(database, a_dispatch("a", start_key="k"))
    await database.write(claiming(["x"], "r0"))
    await database.write(partial(keep_key, start_key="k", run_id="r1", workflow_id="w", now_ms=2000))
    await database.write(partial(forget, before_ms=3000, limit=100, keys=[]))
    assert await database.write(claiming(["x"], "r9")) == set()  # forgotten, so new again
    assert not await database.write(partial(reserve, dispatch=first, now_ms=1))
    await database.write(partial(forget, before_ms=3000, limit=100, keys=["carried over:r1"]))
    assert await database.write(partial(reserve, dispatch=first, now_ms=1))
