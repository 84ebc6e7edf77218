"""Relations in memory and in SQL sit the exam, the latter on SQLite, a real PostgreSQL and a real MariaDB."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.storage.dispatches import dispatches
from gateway.storage.memory import MemoryStorage
from gateway.storage.memory_relations import MemoryRelationStore
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.relation_store import SqlRelationStore
from tests.contract.storage.exam_relations import RelationsExam


class TestMemoryRelationStore(RelationsExam):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def store(self, storage):
        return MemoryRelationStore(storage)

    @pytest.fixture
    def outbox(self, storage):
        async def ids():
            return [dispatch.id for dispatch in storage.dispatches]

        return ids


class TestSqlRelationStore(RelationsExam):
    @pytest.fixture
    def storage(self, database):
        return SqlStorage(database)

    @pytest.fixture
    def store(self, database):
        return SqlRelationStore(database)

    @pytest.fixture
    def outbox(self, database):
        async def ids():
            query = select(dispatches.c.id).order_by(dispatches.c.ord)
            return await database.read(lambda connection: list(connection.scalars(query)))

        return ids
