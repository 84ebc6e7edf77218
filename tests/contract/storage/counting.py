"""Run as a process of its own: migrate a database, then count in it. `python -m tests.contract.storage.counting URL NAME TIMES`."""

from __future__ import annotations

import asyncio
import sys

from gateway.storage import Database
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage
from tests.contract.storage.builders import NOON, a_bundle, a_delivery


async def count(url: str, name: str, times: int) -> None:
    """Deliveries of its own, one everybody sends, and generations, each acknowledged by a line."""
    database = Database(url)
    migrate(database)
    storage = SqlStorage(database)
    for number in range(times):
        await storage.record_delivery(a_delivery(id=f"{name}-{number}"), [])
        shared = await storage.record_delivery(a_delivery(id=f"shared-{number}"), [])
        generation = await storage.activate([a_bundle(revision=f"{name}-{number}")], at=NOON, by=name)
        print(number, generation.number, shared, flush=True)
    await storage.close()


if __name__ == "__main__":
    asyncio.run(count(sys.argv[1], sys.argv[2], int(sys.argv[3])))
