"""Cores on one real Temporal server and one database, for tests beside the exam."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager

from sqlalchemy import select

from gateway.durable.temporal import TemporalDurableCore
from gateway.durable.temporal.claims import claims
from gateway.durable.temporal.reading import state_of
from gateway.durable.temporal.wire import execution_id
from tests.servers.temporal import need_temporal, session_temporal

_queues = itertools.count(1)


class LooksAgain(TemporalDurableCore):
    """Somebody who knows that the cluster's index lags: looks again until it agrees with what is exact, then reads it."""

    async def list(self, **narrowed):
        await self._index_caught_up()
        return await super().list(**narrowed)

    async def dead_letters(self, **narrowed):
        await self._index_caught_up()
        return await super().dead_letters(**narrowed)

    async def queue(self):
        await self._index_caught_up()
        return await super().queue()

    async def _index_caught_up(self):
        async with asyncio.timeout(240):
            while not await self._agrees():
                await asyncio.sleep(0.02)

    async def _agrees(self):
        """Every execution as listed is as it is, and of every workflow the newest, and of every failure the letter, is listed."""
        queue = self._server.task_queue
        found = {(each.id, each.run_id): each for each in await self._server.listed(f"TaskQueue = '{queue}'", limit=1000)}
        claimed = await self._database.read(lambda c: list(c.scalars(select(claims.c.workflow_id).where(claims.c.run_id.is_not(None)))))
        ids = {id for id, _ in found} | {execution_id(queue, workflow_id) for workflow_id in claimed}
        exact = [*await asyncio.gather(*(self._server.describe(id) for id in ids))]
        exact += await asyncio.gather(*(self._server.describe(*each) for each in found))
        states = [await state_of(each) for each in exact if each is not None]
        failed = [state for state in states if state and state.get("status") == "failed"]
        letters = [f"{each.id}/dead/{state['run_id']}" for each in exact if each for state in failed if state == await state_of(each)]
        exact += await asyncio.gather(*(self._server.describe(id) for id in set(letters)))
        if None in exact[len(ids) : len(ids) + len(found)]:
            return False
        return all([await _same(found.get((each.id, each.run_id)), each) for each in exact if each is not None])


async def _same(listed, exact):
    return listed is not None and listed.status == exact.status and await state_of(listed) == await state_of(exact)


def fresh_queue():
    """A task queue no other test has."""
    return f"q{next(_queues)}"


@asynccontextmanager
async def a_temporal_core(database, workflows, activities=None, *, queue, address=None, start=True, **options):
    """One core, started and stopped."""
    need_temporal()
    core = LooksAgain(
        database=database,
        workflows=workflows,
        activities=activities or {},
        address=address or session_temporal(),
        task_queue=queue,
        **{"poll": 0.1, "lease": 60.0, **options},
    )
    if start:
        await core.start()
    try:
        yield core
    finally:
        await core.stop()
