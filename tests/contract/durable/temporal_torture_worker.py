"""One worker process of the torture on Temporal; it works until it is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import structlog

from gateway.durable.temporal import TemporalDurableCore
from gateway.storage import Database
from tests.contract.durable.torture_program import WORKFLOWS, Effects
from tests.contract.durable.torture_worker import LEASE


async def main(url, effects, address, queue):
    """For as long as whoever started it."""
    started_by = os.getppid()
    core = TemporalDurableCore(
        database=Database(url),
        workflows=WORKFLOWS,
        activities=Effects(Path(effects)).activities(),
        address=address,
        task_queue=queue,
        poll=0.1,
        lease=LEASE,
        concurrency=16,
    )
    await core.start()
    while os.getppid() == started_by:
        await asyncio.sleep(1)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(*sys.argv[1:]))
