"""From the outbox to Temporal: every dispatch is sent, in the order they were written, at least once.

Exactly once is made where they arrive (see `claims`). Dispatches of one workflow are sent one after another, so that
whoever sends the same ones again, from another gateway or after a crash, sends them in the same order: the first copy
of each arrives in order too. Those of different workflows go side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import structlog
from temporalio.service import RPCError

from gateway.durable.payloads import decoded
from gateway.durable.port import DurableError
from gateway.durable.temporal.claims import Waiting, claimed_by, mark_taken, release, reserve, waiting
from gateway.durable.temporal.reading import state_of
from gateway.durable.temporal.server import Server, TemporalUnavailable
from gateway.durable.temporal.wire import SIGNAL, Document, a_beginning, a_message, execution_id
from gateway.errors import DatabaseUnavailable
from gateway.storage.database import Database

log = structlog.get_logger(__name__)

_BATCH = 256
_AT_ONCE = 16
_LOOKS, _LOOK = 20, 0.1
"""How often, and after how many seconds each, a start looks whether what is in its way has gone."""


class Relay:
    """One process's relay. now_ms: the clock of the claims."""

    def __init__(self, *, database: Database, server: Server, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._server = server
        self._now_ms = now_ms
        self._one_pass = asyncio.Lock()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def relay(self) -> None:
        """Send what waits. Raises DurableError where the cluster does not answer; what was sent is marked all the same."""
        async with self._one_pass:
            while batch := await self._database.read(lambda connection: waiting(connection, limit=_BATCH)):
                if not await self._send(batch):
                    return

    async def _send(self, batch: Sequence[Waiting]) -> bool:
        """True if everything of the batch went."""
        by_workflow = groupby(sorted(batch, key=lambda dispatch: (dispatch.workflow_id, dispatch.ord)), key=lambda d: d.workflow_id)
        sent: list[Waiting] = []
        outcomes = await asyncio.gather(*(self._send_in_order(list(group), sent) for _, group in by_workflow), return_exceptions=True)
        if sent:
            await self._database.write(lambda connection: mark_taken(connection, sent))
        for outcome in outcomes:
            if isinstance(outcome, RPCError):
                log.error("Temporal refuses a dispatch; it is tried again", problem=str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
        return len(sent) == len(batch)

    async def _send_in_order(self, dispatches: Sequence[Waiting], sent: list[Waiting]) -> None:
        async with self._slots:
            for dispatch in dispatches:
                if not dispatch.done:
                    await self._send_one(dispatch)
                sent.append(dispatch)

    async def _send_one(self, dispatch: Waiting) -> None:
        id = execution_id(self._server.task_queue, dispatch.workflow_id)
        starts: list[Any] | None = None if dispatch.workflow_type is None else [dispatch.workflow_type, decoded(dispatch.input)]
        if dispatch.signal is not None:
            message = a_message(dispatch.signal, decoded(dispatch.payload), dispatch=dispatch.id, starts=starts)
            if starts is None:
                await self._server.signal(id, SIGNAL, message, request=dispatch.id)  # to nothing: dropped
                return
            if dispatch.start_key is not None and await self._server.signal(id, SIGNAL, message, request=dispatch.id):
                return
        if starts is None or (dispatch.start_key is not None and not await self._reserved(dispatch)):
            return
        begins = a_beginning(dispatch.workflow_id, starts[1], dispatch=dispatch.id, delay=dispatch.delay)
        if dispatch.signal is None:
            started = await self._started(id, starts[0], begins, dispatch.id)
        else:
            started = await self._server.signal_or_start(id, starts[0], begins, SIGNAL, message, request=dispatch.id)
        if not started and dispatch.start_key is not None:
            await self._database.write(lambda connection: release(connection, dispatch))

    async def _started(self, id: str, type: str, begins: Document, request: str) -> bool:
        """False if a run is going. One begun twice for a dispatch is none, and gone in a moment."""
        for _ in range(_LOOKS):
            if await self._server.start(id, type, begins, request=request) is not None:
                return True
            if not await self._is_void(id):
                return False
            await asyncio.sleep(_LOOK)
        raise TemporalUnavailable(f"execution '{id}' is in the way of a start and makes no step: is a gateway running?")

    async def _is_void(self, id: str) -> bool:
        found = await self._server.describe(id)
        if found is None or (state := await state_of(found)) is not None:
            return found is None or (state is not None and state["status"] == "void")
        begun = await self._server.begun(id, found.run_id)
        owner = await self._database.read(lambda connection: claimed_by(connection, str(begun["dispatch"])))
        return owner not in {None, found.run_id}

    async def _reserved(self, dispatch: Waiting) -> bool:
        return await self._database.write(lambda connection: reserve(connection, dispatch, self._now_ms()))


class Relaying:
    """The loop that relays whenever something wakes it, or the poll has passed."""

    def __init__(self, relay: Relay, poll: float) -> None:
        self._relay = relay
        self._poll = poll
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            seconds = self._poll
            try:
                await self._relay.relay()
            except (DurableError, DatabaseUnavailable) as problem:
                log.warning("dispatches wait", problem=str(problem))
                seconds = max(self._poll, 1.0)
            except Exception:  # the loop's edge: it has to outlive whatever goes wrong in one round
                log.exception("dispatches could not be relayed")
                seconds = max(self._poll, 1.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._awake.wait()
            self._awake.clear()
