"""Ports for servers that have to be told theirs.

A port the kernel picks is one it may give to the next outgoing connection of anybody before the server has bound it.
So these lie below the kernel's own range, and the processes of a test run take them in turn: none is given twice.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

FIRST, LAST = 20_000, 32_000
"""Below what Linux and macOS give to outgoing connections (32768 and 49152 upwards)."""
_SHARED = Path("/tmp")
"""Where every test process of this machine looks, wherever it puts its own files."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that no other test process is given soon."""
    while True:
        port = _next_number()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _next_number() -> int:
    """One after the other, round and round, whoever asks."""
    file = os.open(_SHARED / f"admittance-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        last = int(os.read(file, 20) or b"0")
        number = last + 1 if FIRST <= last < LAST else FIRST
        os.pwrite(file, b"%d" % number, 0)
    finally:
        os.close(file)
    return number
