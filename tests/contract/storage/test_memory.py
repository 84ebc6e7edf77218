"""Storage in memory sits the exam."""

from __future__ import annotations

import pytest

from gateway.storage.memory import MemoryStorage
from tests.contract.storage.exam import StorageExam


class TestMemoryStorage(StorageExam):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def outbox(self, storage):
        async def ids():
            return [dispatch.id for dispatch in storage.dispatches]

        return ids
