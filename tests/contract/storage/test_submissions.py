"""Submissions sit the exam on SQLite, a real PostgreSQL and a real MariaDB; words and landings in memory too."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.storage.dispatches import dispatches
from gateway.storage.memory import MemoryStorage
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.submissions import SqlSubmissions
from tests.contract.storage.exam_submissions import SubmissionsExam, WordsExam


@pytest.mark.anyio
class TestSqlSubmissions(SubmissionsExam, WordsExam):
    @pytest.fixture
    def storage(self, database):
        return SqlStorage(database)

    @pytest.fixture
    def store(self, database):
        return SqlSubmissions(database)

    @pytest.fixture
    def outbox(self, database):
        async def ids():
            query = select(dispatches.c.id).order_by(dispatches.c.ord)
            return await database.read(lambda connection: list(connection.scalars(query)))

        return ids


@pytest.mark.anyio
class TestWordsInMemory(WordsExam):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def outbox(self, storage):
        async def ids():
            return [dispatch.id for dispatch in storage.dispatches]

        return ids
