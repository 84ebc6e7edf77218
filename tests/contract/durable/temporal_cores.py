"""Cores on one real Temporal server and one database, for tests beside the exam."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

from gateway.durable.temporal import TemporalDurableCore
from tests.servers.temporal import need_temporal, session_temporal

_queues = itertools.count(1)


def fresh_queue():
    """A task queue no other test has."""
    return f"q{next(_queues)}"


@asynccontextmanager
async def a_temporal_core(database, workflows, activities=None, *, queue, address=None, start=True, **options):
    """One core, started and stopped."""
    need_temporal()
    core = TemporalDurableCore(
        database=database,
        workflows=workflows,
        activities=activities or {},
        address=address or session_temporal(),
        task_queue=queue,
        **{"poll": 0.1, "lease": 5.0, **options},
    )
    if start:
        await core.start()
    try:
        yield core
    finally:
        await core.stop()
