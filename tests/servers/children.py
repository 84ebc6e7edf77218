"""What servers of the tests have in common as child processes: they end with the tests that started them, and when they are told to."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from typing import Any

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In the child, before it becomes the server: Linux ends it when the thread that started it ends, killed or not."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process: subprocess.Popen[Any]) -> None:
    """In order; what does not go by itself is killed."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
