"""Doing a thing once per bundle, however many ask for it at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from policies.loop import running_loop, unbroken
from policies.model import Digest

if TYPE_CHECKING:
    import asyncio

_REMEMBERED = 4096

Result = TypeVar("Result")


class Once(Generic[Result]):
    """Remembers the results of what succeeded; a failure is told to those who waited for it, and tried again by the next."""

    def __init__(self) -> None:
        self._done: OrderedDict[Digest, Result] = OrderedDict()
        self._doing: dict[Digest, asyncio.Future[Result]] = {}

    async def do(self, digest: Digest, action: Callable[[], Awaitable[Result]]) -> Result:
        """Its result, done now or before. One who gives up waiting does not stop it for the others."""
        if digest in self._done:
            return self._done[digest]
        doing = self._doing.get(digest)
        if doing is None:
            doing = self._doing[digest] = running_loop().create_task(self._act(digest, action))
            doing.add_done_callback(_heard)
        return await unbroken(doing)

    async def _act(self, digest: Digest, action: Callable[[], Awaitable[Result]]) -> Result:
        try:
            result = self._done[digest] = await action()
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
            return result
        finally:
            del self._doing[digest]


def _heard(doing: asyncio.Future[Result]) -> None:
    """A failure is no surprise to the loop even if everybody gave up waiting for it."""
    if not doing.cancelled():
        doing.exception()
