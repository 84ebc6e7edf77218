"""Many callers, one commit: what comes in while a batch is being written is the next batch.

Here, and not only in the database's writer, because one statement for the whole batch costs a fraction of one each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.errors import DatabaseUnavailable

T = TypeVar("T")
R = TypeVar("R")

_LIMIT = 250


@dataclass(slots=True)
class _Waiting(Generic[T, R]):
    item: T
    result: asyncio.Future[R]


class Batches(Generic[T, R]):
    """`commit` writes a batch and returns one result for each item, in order."""

    def __init__(self, commit: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._commit = commit
        self._waiting: list[_Waiting[T, R]] = []
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """The item's result once its batch is committed. Raises what it raised."""
        waiting: _Waiting[T, R] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="durable-batches")
        return await waiting.result

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_LIMIT], self._waiting[_LIMIT:]
            await self._settle(batch)

    async def _settle(self, batch: Sequence[_Waiting[T, R]]) -> None:
        """Whoever waits hears of it; one that cannot be written does not take the others along."""
        try:
            results = await self._commit([waiting.item for waiting in batch])
        except Exception as problem:
            if len(batch) > 1 and not isinstance(problem, DatabaseUnavailable):
                for waiting in batch:
                    await self._settle([waiting])
                return
            for waiting in batch:
                if not waiting.result.done():
                    waiting.result.set_exception(problem)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.result.done():
                waiting.result.set_result(result)
