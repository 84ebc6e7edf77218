"""The servers of `OpaServer`: one per bundle digest, started once, the one longest unused making room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

from policies.bundles.model import Bundle
from policies.engines.opa_command import Folder
from policies.engines.opa_process import Listen, OpaProcess
from policies.engines.reserved import RESERVED_MODULES
from policies.errors import EngineUnavailable
from policies.model import Digest


class Fleet:
    """Starts, shares and ends servers. A dead one is replaced when it is next asked for."""

    def __init__(self, *, binary: Path, listen: Listen, size: int, compile_deadline: float, memory_limit: int) -> None:
        self._binary, self._listen, self._size = binary, listen, size
        self._compile_deadline, self._memory_limit = compile_deadline, memory_limit
        self._servers: OrderedDict[Digest, asyncio.Task[OpaProcess]] = OrderedDict()
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    async def server(self, bundle: Bundle, deadline: float | None = None) -> OpaProcess:
        """The bundle's server, ready; deadline: seconds it may take to start. Raises BundleRefused, EngineTimedOut, EngineUnavailable."""
        if self._closed:
            raise EngineUnavailable("the engine is closed")
        start = self._servers.get(bundle.digest)
        if start is not None and start.done() and (start.exception() is not None or not start.result().alive):
            self._bury(bundle.digest)
            start = None
        if start is None:
            start = self._servers[bundle.digest] = asyncio.get_running_loop().create_task(self._start(bundle, deadline))
            for digest in list(self._servers)[: len(self._servers) - self._size]:
                self._bury(digest)
        self._servers.move_to_end(bundle.digest)
        return await asyncio.shield(start)

    async def close(self) -> None:
        """End all."""
        self._closed = True
        for digest in list(self._servers):
            self._bury(digest)
        await asyncio.gather(*self._burials)

    async def _start(self, bundle: Bundle, deadline: float | None) -> OpaProcess:
        folder = await asyncio.to_thread(Folder, {**bundle.modules, **RESERVED_MODULES}, bundle.data)
        server = OpaProcess(self._binary, folder, listen=self._listen, memory_limit=self._memory_limit)
        try:
            await server.start(bundle.name, self._compile_deadline if deadline is None else deadline)
        except BaseException:
            await server.close()
            raise
        return server

    def _bury(self, digest: Digest) -> None:
        burial = asyncio.get_running_loop().create_task(_end(self._servers.pop(digest)))
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)


async def _end(start: asyncio.Task[OpaProcess]) -> None:
    """Whether it had started, failed to, or is at it."""
    (started,) = await asyncio.gather(start, return_exceptions=True)
    if isinstance(started, OpaProcess):
        await started.close()
