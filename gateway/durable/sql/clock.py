"""The engine's clock: wall time when the process started, moved on by a clock that nobody can set.

A wall clock that jumps by an hour therefore neither fires a timer early nor holds one back while the process runs.
Nothing is compared between the clocks of two processes where it would matter: whether a process is alive is decided by
watching its beat for a time of our own (see `liveness`).
"""

from __future__ import annotations

import time
from datetime import datetime

from gateway.storage.columns import from_ms


class Clock:
    """Aware times in whole milliseconds (what databases keep), never going backwards."""

    def __init__(self) -> None:
        self._offset = time.time() - elapsed()

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return int((self._offset + elapsed()) * 1000)


def elapsed() -> float:
    """Seconds on a clock that cannot be set; on Linux it goes on while the machine is suspended."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)
