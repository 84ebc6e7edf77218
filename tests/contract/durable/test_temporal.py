"""The durable core on a real Temporal server sits the same exam."""

from __future__ import annotations

from functools import partial

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.exam import DurableExam
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue


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
    return partial(a_temporal_core, outbox, queue=fresh_queue())


class TestTemporalDurableCore(DurableExam):
    """Every promise of the port."""
