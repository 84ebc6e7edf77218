"""How a running activity says that it still lives: `heartbeat()`, from its own coroutine or a thread it started.

Outside an attempt it does nothing, so that operations may call it whoever called them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[], None] | None] = ContextVar("listener", default=None)


def heartbeat() -> None:
    """I live: start counting my silence anew."""
    listener = _listener.get()
    if listener is not None:
        listener()


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Inside, heartbeats go to this listener, which may be called from any thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
