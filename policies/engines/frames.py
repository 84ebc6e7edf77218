"""The wire between the engine and its workers: frames on a socket pair, and a board in shared memory.

A frame is `u32 length, u8 kind, u64 job` and a body; length counts what follows it. Bodies are
JSON or raw bytes as the kind says. On the board a worker writes which job it is at and since
when, before it starts: the one thing its parent can still read when the worker hangs.

Separate, because worker and parent must agree, and the worker imports nothing but the
standard library (it starts in a fraction of the time the whole package would take).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

BOARD = struct.Struct("=QQ")
"""Job number and `time.monotonic_ns()` of its start; job 0 = idle."""

_HEAD = struct.Struct("=IBQ")
_AFTER_LENGTH = _HEAD.size - 4
MAX_FRAME = 1 << 30


class Kind(IntEnum):
    """What a frame asks for, or answers."""

    READY = 0  # worker → parent: the library is loaded
    LOAD = 1  # {"bundle": number, "modules": {path: source}, "data": {…}} → {"problems": [[code, message], …]}
    FORGET = 2  # bundle number, no answer
    QUERY = 3  # u32 query number, then its text; no answer
    EVALUATE = 4  # u32 bundle, u32 query, then the JSON that the function `given` answers → the library's envelope, unparsed
    PARSE = 5  # {path: source} → {path: {"tree": …} or {"problem": message}}
    ASK = 6  # u32 bundle, then {"queries": [text, …], "coverage", "trace"} → [envelope, …]
    FLUSH = 9  # what comes next may take long: first send the answers you have; no answer
    ANSWER = 7  # worker → parent: u64 nanoseconds it took, then the body
    FAILED = 8  # worker → parent: u64 nanoseconds, then what was wrong with the request itself


def frame(kind: Kind, job: int, *body: bytes) -> bytes:
    """One frame's bytes. Raises ValueError beyond a gigabyte."""
    length = _AFTER_LENGTH + sum(map(len, body))
    if length > MAX_FRAME:
        raise ValueError(f"expected at most {MAX_FRAME} bytes for a worker, found {length}")
    return b"".join((_HEAD.pack(length, kind, job), *body))


def frames(buffer: bytearray) -> Iterator[tuple[Kind, int, bytes]]:
    """Take all whole frames off the front of the buffer."""
    start = 0
    with memoryview(buffer) as view:
        while len(view) - start >= _HEAD.size:
            length, kind, job = _HEAD.unpack_from(view, start)
            end = start + 4 + length
            if end > len(view):
                break
            yield Kind(kind), job, bytes(view[start + _HEAD.size : end])
            start = end
    del buffer[:start]
