"""A few slots for many: awaited in fair order, for engines whose work runs elsewhere.

The same queue as the workers have in front of them (`fair_queue`), with turns to wait for
instead of jobs to hand over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from policies.engines.fair_queue import FairQueue
from policies.errors import EngineBusy

_Turn = asyncio.Future[None]


class FairSlots:
    """At most `slots` at once; at most `queue_limit` waiting, none longer than `patience` seconds."""

    def __init__(self, *, slots: int, queue_limit: int, patience: float) -> None:
        self._free = slots
        self._slots = slots
        self._patience = patience
        self._waiting: FairQueue[_Turn] = FairQueue(queue_limit)
        self._usual = 0.01

    @asynccontextmanager
    async def slot(self, share: str) -> AsyncIterator[None]:
        """Wait for a turn; the key's clock runs while it is held. Raises EngineBusy."""
        await self._turn(share)
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self._usual = 0.8 * self._usual + 0.2 * seconds
            self._waiting.charge(share, seconds)
            self._free += 1
            self._next()

    async def _turn(self, share: str) -> None:
        if self._free and not len(self._waiting):
            self._free -= 1
            return
        turn: _Turn = asyncio.get_running_loop().create_future()
        refused = self._waiting.push(share, turn)
        if refused is not None and not refused.done():
            refused.set_exception(self._busy())
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except TimeoutError:
            raise self._busy() from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # given in the same instant
                self._free += 1
                self._next()
            raise

    def _next(self) -> None:
        while self._free and len(self._waiting):
            _, turn = self._waiting.pop()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def _busy(self) -> EngineBusy:
        seconds = len(self._waiting) * self._usual / self._slots
        return EngineBusy(f"{len(self._waiting)} evaluations are waiting already", retry_after=min(30.0, max(1.0, seconds)))
