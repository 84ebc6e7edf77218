"""Ids: of runs, in the order of time so that databases insert them at an end, and of the processes that run them."""

from __future__ import annotations

import os
import secrets
import socket
from uuid import UUID


def new_run_id(now_ms: int) -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of time, 74 random ones."""
    value = (now_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=value))


def new_owner(name: str | None) -> str:
    """Unique each time, so that two engines of one name are still two owners."""
    return f"{name or f'{socket.gethostname()}:{os.getpid()}'}#{secrets.token_hex(6)}"[-191:]
