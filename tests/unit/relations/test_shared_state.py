"""Readings of an OpenFGA store's state: shared by whoever waits, never older than the call."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies.errors import RelationsUnavailable
from policies.relations.openfga.documents import Changes
from policies.relations.openfga.state import SharedState


class AServer:
    """A store whose list of changes has so many entries. gate: what each look at the list waits for."""

    def __init__(self, entries=0):
        self.entries, self.looks, self.fault = entries, 0, None
        self.gate, self.looked = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def time(self):
        return datetime(2026, 11, 24, 12, tzinfo=UTC)

    async def changes(self, *, token, since):
        self.looks += 1
        self.looked.set()
        there = self.entries
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return Changes(count=there - int(token or 0), token=str(there))


def sharing(server):
    return SharedState(server, pinned="M", deadline=60)


def test_whoever_comes_while_the_store_is_read_waits_for_the_next_reading_together():
    """What is under way may have been looked at before they were done."""

    async def story():
        server = AServer()
        shared = sharing(server)
        await shared.read()
        server.gate.clear()
        server.looked.clear()
        early = asyncio.create_task(shared.read())
        await server.looked.wait()
        server.entries = 1
        late = [asyncio.create_task(shared.read()) for _ in range(5)]
        await asyncio.sleep(0)
        before, server.looks = server.looks, 0
        server.gate.set()
        assert (await early).token == ""
        assert {state.token for state in await asyncio.gather(*late)} == {"1"}
        assert (before, server.looks) == (2, 2)  # the first reading and the early one; then one page with the change, one without
        await shared.close()

    asyncio.run(story())


def test_a_reading_that_fails_fails_for_those_who_wait_and_not_for_the_next():
    """Nobody is given what was known before instead."""

    async def story():
        server = AServer(entries=3)
        shared = sharing(server)
        before = await shared.read()
        server.fault = RelationsUnavailable("away")
        faults = await asyncio.gather(shared.read(), shared.read(), return_exceptions=True)
        assert [type(fault) for fault in faults] == [RelationsUnavailable] * 2
        server.fault = None
        assert await shared.read() == before
        await shared.close()

    asyncio.run(story())


def test_one_who_gives_up_does_not_end_the_reading_of_others():
    """It belongs to all who wait."""

    async def story():
        server = AServer()
        shared = sharing(server)
        server.gate.clear()
        one, other = asyncio.create_task(shared.read()), asyncio.create_task(shared.read())
        await server.looked.wait()
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        server.gate.set()
        assert (await other).model_id == "M"
        await shared.close()

    asyncio.run(story())
