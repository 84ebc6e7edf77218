"""Where a store has got to: its model, and the place in its list of changes. Read once for all who ask at the same time.

A judgement is of one state if the store was read before its questions and again after its answers, and was the same. What
is read after one judgement's answers was read before the next one's questions; and judgements that end together wait for
one and the same reading. So in a steady stream a judgement costs its questions and a share of one reading.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from policies.errors import RelationsUnavailable
from policies.relations.openfga.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What answers are given from. token: the last change that was seen; empty where there was none since `since`."""

    model_id: str
    token: str
    since: datetime


async def first_state(server: Server, pinned: str | None) -> State:
    """As it is now, by the server's own clock. pinned: the model that is asked, whichever is the newest."""
    model_id = pinned or await server.newest_model()
    since = await server.time() - timedelta(seconds=1)
    return await _followed(server, State(model_id=model_id, token="", since=since))


async def later_state(server: Server, pinned: str | None, known: State) -> State:
    """As it is now; equal to what is known if neither model nor tuples have changed since."""
    model_id = pinned or await server.newest_model()
    return await _followed(server, replace(known, model_id=model_id))


async def _followed(server: Server, state: State) -> State:
    while (page := await server.changes(token=state.token, since=state.since)).count:
        if not page.token or page.token == state.token:
            raise RelationsUnavailable("the OpenFGA server's list of changes does not go on")
        state = replace(state, token=page.token)
    return state


class SharedState:
    """The store's state, followed from reading to reading. deadline: seconds for one of them."""

    def __init__(self, server: Server, *, pinned: str | None, deadline: float) -> None:
        self._server, self._pinned, self._deadline = server, pinned, deadline
        self._under_way: asyncio.Task[State] | None = None
        self._next: asyncio.Task[State] | None = None
        self.known: State | None = None

    async def read(self) -> State:
        """From a reading that begins after this call, which others may share. Raises RelationsError, TimeoutError."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_after(self._under_way))
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _read_after(self, before: asyncio.Task[State] | None) -> State:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._under_way, self._next = self._next, None  # whoever asks from here on is too late for this reading
        async with asyncio.timeout(self._deadline):
            if self.known is None:
                self.known = await first_state(self._server, self._pinned)
            else:
                self.known = await later_state(self._server, self._pinned, self.known)
            return self.known

    async def close(self) -> None:
        """No reading goes on, or begins."""
        readings = [task for task in (self._under_way, self._next) if task is not None]
        for task in readings:
            task.cancel()
        await asyncio.gather(*readings, return_exceptions=True)


def _heard(reading: asyncio.Task[State]) -> None:
    """Whoever waited has been told; that nobody waits any more is no fault of the reading."""
    if not reading.cancelled():
        reading.exception()
