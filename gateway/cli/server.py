"""uvicorn's server as a part of a process that has more to end than its connections."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

_TOLD_TO_STOP = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """Ends serving when the process is told to stop. uvicorn raises the signal again then, and the process would be gone before the
    rest of the gateway is taken down. Told a second time, once requests are answered, the process ends at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In the main thread."""
        loop = asyncio.get_running_loop()
        for each in _TOLD_TO_STOP:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in _TOLD_TO_STOP:
                loop.remove_signal_handler(each)
