"""One worker process of the torture: `python -m tests.contract.durable.torture_worker URL EFFECTS`. It works until it is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from gateway.durable.sql import SqlDurableCore
from gateway.errors import DatabaseUnavailable
from gateway.storage import Database
from tests.contract.durable.torture_program import WORKFLOWS, Effects

LEASE = 1.5


async def main(url, effects):
    """For as long as whoever started it."""
    started_by = os.getppid()
    database = Database(url)
    core = SqlDurableCore(
        database=database, workflows=WORKFLOWS, activities=Effects(Path(effects)).activities(), poll=0.1, lease=LEASE, concurrency=16
    )
    while True:
        with suppress(DatabaseUnavailable):
            await core.start()
            break
    while os.getppid() == started_by:
        await asyncio.sleep(1)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(*sys.argv[1:]))
