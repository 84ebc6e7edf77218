"""Doing a thing once per bundle, however many ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from policies.model import Digest

_REMEMBERED = 4096


class Once:
    """Remembers what succeeded; a failure is told to those who waited for it, and tried again by the next."""

    def __init__(self) -> None:
        self._done: OrderedDict[Digest, None] = OrderedDict()
        self._doing: dict[Digest, asyncio.Future[None]] = {}

    async def do(self, digest: Digest, action: Callable[[], Awaitable[None]]) -> None:
        """Return when it has been done. One who gives up waiting does not stop it for the others."""
        if digest in self._done:
            return
        doing = self._doing.get(digest)
        if doing is None:
            doing = self._doing[digest] = asyncio.ensure_future(self._act(digest, action))
            doing.add_done_callback(_heard)
        await asyncio.shield(doing)

    async def _act(self, digest: Digest, action: Callable[[], Awaitable[None]]) -> None:
        try:
            await action()
            self._done[digest] = None
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
        finally:
            del self._doing[digest]


def _heard(doing: asyncio.Future[None]) -> None:
    """A failure is no surprise to the loop even if everybody gave up waiting for it."""
    if not doing.cancelled():
        doing.exception()
