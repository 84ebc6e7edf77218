"""Temporal under the same torture: gateways killed and frozen while they relay, fold and run attempts."""

from __future__ import annotations

import asyncio
import random
import sys
import time

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable import torture
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue
from tests.contract.durable.torture_program import WORKFLOWS, Effects
from tests.servers.temporal import need_temporal, session_temporal
from tests.torture.outcome import seconds, seed

SECONDS = seconds(15.0)
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(SECONDS + torture.END_LIMIT + 600)]


class TemporalWorkers(torture.Workers):
    """Processes that work for Temporal."""

    def __init__(self, *arguments):
        self.command = [sys.executable, "-m", "tests.contract.durable.temporal_torture_worker", *map(str, arguments)]
        self.running = [self._start() for _ in range(torture.WORKERS)]
        self.frozen = {}


async def _thaw(workers):
    """Also while the test itself waits for a database that a frozen process holds."""
    while True:
        workers.thaw()
        await asyncio.sleep(0.1)


async def test_killed_and_frozen_gateways_lose_nothing_on_temporal(tmp_path):
    """Expected results, replays that agree (Temporal's and ours), signals in order."""
    need_temporal()
    url, effects, queue = f"sqlite:///{tmp_path}/admit.db", tmp_path / "effects", fresh_queue()
    database = Database(url)
    migrate(database)
    chosen = seed()
    dice, summary, cases = random.Random(chosen), torture.Summary(seed=chosen), []
    workers = await asyncio.to_thread(TemporalWorkers, url, effects, session_temporal(), queue)
    thawing = asyncio.create_task(_thaw(workers))
    try:
        async with a_temporal_core(database, WORKFLOWS, queue=queue, start=False) as core:
            await torture._torment(core, workers, dice, summary, cases, time.monotonic() + SECONDS, None)
            await torture._rest(core, cases, summary)
            await torture._examine(core, cases, Effects(effects), summary)
    finally:
        thawing.cancel()
        await asyncio.to_thread(workers.end)
        await database.close()
    outcome = summary.outcome()
    print(f"torture: {outcome.summary}")
    assert not outcome.problems, outcome.told()
