"""The embedded engine sits the exam on SQLite, on a real PostgreSQL and on a real MariaDB."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from gateway.durable.sql import SqlDurableCore
from tests.contract.durable.exam import DurableExam


class TestSqlDurableCore(DurableExam):
    @pytest.fixture
    def cores(self, database):
        @asynccontextmanager
        async def running(workflows, activities=None, **options):
            core = SqlDurableCore(
                database=database, workflows=workflows, activities=activities or {}, **{"poll": 0.1, "lease": 60.0, **options}
            )
            await core.start()
            try:
                yield core
            finally:
                await core.stop()

        return running
