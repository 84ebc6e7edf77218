"""The durable core on a real Temporal server sits the same exam."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import pytest

from gateway.durable.temporal import TemporalDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.exam import DurableExam
from tests.servers.temporal import need_temporal, session_temporal

_queues = itertools.count(1)


@pytest.fixture
async def outbox(tmp_path):
    """The gateway's own database."""
    opened = Database(f"sqlite:///{tmp_path}/admit.db")
    migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def cores(outbox):
    """Cores on one database and one task queue."""
    need_temporal()
    address, queue = session_temporal(), f"q{next(_queues)}"

    @asynccontextmanager
    async def running(workflows, activities=None, **options):
        core = TemporalDurableCore(
            database=outbox,
            workflows=workflows,
            activities=activities or {},
            address=address,
            task_queue=queue,
            **{"poll": 0.1, "lease": 5.0, **options},
        )
        await core.start()
        try:
            yield core
        finally:
            await core.stop()

    return running


class TestTemporalDurableCore(DurableExam):
    """Every promise of the port."""
