"""SQL storage sits the exam on SQLite, on a real PostgreSQL and on a real MariaDB."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.storage.dispatches import dispatches
from gateway.storage.sql import SqlStorage
from tests.contract.storage.exam import StorageExam


class TestSqlStorage(StorageExam):
    @pytest.fixture
    def storage(self, database):
        return SqlStorage(database)

    @pytest.fixture
    def outbox(self, database):
        async def ids():
            query = select(dispatches.c.id).order_by(dispatches.c.ord)
            return await database.read(lambda connection: list(connection.scalars(query)))

        return ids
