"""A database that somebody else has locked: who asks is told to come back, in time, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from policies import Outcome
from tests.integration.gateway.house import REPOSITORY, a_house


def test_a_delivery_is_turned_away_in_time_and_taken_when_it_comes_again(tmp_path):
    """The answer comes while the lock is still held; the same delivery sent again leads to a decision."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            delivery = house.forge.outbox()[-1]  # the last of several: the change, after its branch
            with closing(sqlite3.connect(tmp_path / "admit.db", isolation_level=None, check_same_thread=False)) as other:
                await asyncio.to_thread(_lock, other)
                turned_away = await house.client.post("/webhooks/work", content=delivery.body, headers=delivery.headers)
                other.execute("ROLLBACK")
            assert turned_away.status_code == 503, turned_away.text
            assert int(turned_away.headers["retry-after"]) > 0
            assert "could not be kept within" in turned_away.json()["detail"]
            again = await house.client.post("/webhooks/work", content=delivery.body, headers=delivery.headers)
            assert again.status_code == 202, again.text
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.ADMITTED

    asyncio.run(story())


def _lock(connection):
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("BEGIN IMMEDIATE")
