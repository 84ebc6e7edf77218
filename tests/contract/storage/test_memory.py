"""Storage in memory sits the exam."""

from __future__ import annotations

import pytest

from gateway.storage.memory import MemoryStorage
from gateway.storage.memory_sealing import MemorySealedRecord
from tests.contract.storage.exam import StorageExam
from tests.contract.storage.sealing_exam import SealingExam


class TestMemoryStorage(StorageExam):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def outbox(self, storage):
        async def ids():
            return [dispatch.id for dispatch in storage.dispatches]

        return ids


class TestMemorySealedRecord(SealingExam):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()

    @pytest.fixture
    def record(self, storage):
        return MemorySealedRecord(storage)
