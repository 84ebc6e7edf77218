"""The end of a command's process, where Temporal's client is loaded: past the interpreter's own.

That client's threads cannot be stopped. One of them that comes back while the interpreter goes aborts the process, whatever the
command came to (https://github.com/temporalio/sdk-python/issues/300).
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CLIENT = "temporalio.bridge.temporal_sdk_bridge"


@contextmanager
def leaving_threads_behind() -> Iterator[None]:
    """Ends the process with the status the command exits with, once all that is to be done at exit has been done."""
    status: list[int] = []
    atexit.register(_leave, status)  # first of all, to be called last
    try:
        yield
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status.append(end.code or 0)
        raise


def _leave(status: list[int]) -> None:
    if status and _CLIENT in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status[0])
