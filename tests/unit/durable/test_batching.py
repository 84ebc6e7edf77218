"""Many callers, one commit."""

from __future__ import annotations

import asyncio

import pytest

from gateway.durable.sql.batching import Batches
from gateway.errors import DatabaseUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    """The gateway runs on asyncio."""
    return "asyncio"


async def test_what_comes_in_while_a_batch_is_written_is_the_next_batch():
    """Each caller gets the result of its own item."""
    written, first_is_there, go_on = [], asyncio.Event(), asyncio.Event()

    async def commit(batch):
        written.append(list(batch))
        first_is_there.set()
        await go_on.wait()
        return [item * 10 for item in batch]

    batches = Batches(commit)
    first = asyncio.create_task(batches.submit(1))
    await first_is_there.wait()
    others = [asyncio.create_task(batches.submit(item)) for item in (2, 3, 4)]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert written == [[1], [2, 3, 4]]


async def test_item_that_cannot_be_written_does_not_take_the_others_along():
    """They are written one by one then."""

    async def commit(batch):
        if "bad" in batch:
            raise ValueError("bad")
        return [item.upper() for item in batch]

    batches = Batches(commit)
    results = await asyncio.gather(*(batches.submit(item) for item in ("a", "bad", "b")), return_exceptions=True)
    assert [str(result) for result in results] == ["A", "bad", "B"]


async def test_database_that_is_away_is_asked_once():
    """One by one would only take as many times as long."""
    asked = []

    async def commit(batch):
        asked.append(len(batch))
        raise DatabaseUnavailable("away")

    batches = Batches(commit)
    results = await asyncio.gather(*(batches.submit(item) for item in range(5)), return_exceptions=True)
    assert all(isinstance(result, DatabaseUnavailable) for result in results)
    assert asked == [5]


async def test_caller_that_gives_up_does_not_stop_the_batch():
    """What it handed in is written all the same."""
    written = []

    async def commit(batch):
        await asyncio.sleep(0)
        written.extend(batch)
        return list(batch)

    batches = Batches(commit)
    impatient = asyncio.create_task(batches.submit("a"))
    patient = asyncio.create_task(batches.submit("b"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == "b"
    assert written == ["a", "b"]
