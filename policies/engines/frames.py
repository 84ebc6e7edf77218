"""The wire between the engine and its workers: frames on a socket pair, and a board in shared memory.

A frame is `u32 length, u8 kind, u64 job` and a body; length counts what follows it. Bodies are
JSON, raw bytes or pieces (u32 length and bytes, again and again) as the kind says. On the board
a worker writes which job it is at and since when, before it starts: the one thing its parent can
still read when the worker hangs.

Separate, because worker and parent must agree, and the worker imports nothing but the
standard library (it starts in a fraction of the time the whole package would take).
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BOARD = struct.Struct("=QQ")
"""Job number and `time.monotonic_ns()` of its start; job 0 = idle."""

_HEAD = struct.Struct("=IBQ")
_LENGTH = struct.Struct("=I")
_AFTER_LENGTH = _HEAD.size - 4
MAX_FRAME = 1 << 30


class Kind:
    """What a frame asks for, or answers. Numbers and no enum, which a worker would load for this alone."""

    READY = 0  # worker → parent: the library is loaded
    LOAD = 1  # u32 bundle, then pieces: the data's JSON, path, source, path, source … → [envelope of what was not taken, …]
    FORGET = 2  # bundle number, no answer
    QUERY = 3  # u32 query number, then its text; no answer
    EVALUATE = 4  # u32 bundle, u32 query, then the JSON that the function `given` answers → the library's envelope, unparsed
    PARSE = 5  # pieces: a path's JSON, the JSON of {"path", "source"}, the next path's … → {path: envelope}
    ASK = 6  # u32 bundle, u8 coverage, u8 trace, then pieces: queries → [envelope, …]
    FLUSH = 9  # what comes next may take long: first send the answers you have; no answer
    ANSWER = 7  # worker → parent: u64 nanoseconds it took, then the body
    FAILED = 8  # worker → parent: u64 nanoseconds, then what was wrong with the request itself


def frame(kind: int, job: int, *body: bytes) -> bytes:
    """One frame's bytes. Raises ValueError beyond a gigabyte."""
    length = _AFTER_LENGTH + sum(map(len, body))
    if length > MAX_FRAME:
        raise ValueError(f"expected at most {MAX_FRAME} bytes for a worker, found {length}")
    return b"".join((_HEAD.pack(length, kind, job), *body))


def frames(buffer: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Take all whole frames off the front of the buffer."""
    start = 0
    with memoryview(buffer) as view:
        while len(view) - start >= _HEAD.size:
            length, kind, job = _HEAD.unpack_from(view, start)
            end = start + 4 + length
            if end > len(view):
                break
            yield kind, job, bytes(view[start + _HEAD.size : end])
            start = end
    del buffer[:start]


def in_pieces(*texts: bytes) -> bytes:
    """The texts as the pieces of a body."""
    return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))


def pieces(body: bytes, start: int = 0) -> list[bytes]:
    """The texts of a body made by `in_pieces`, from here to its end."""
    found = []
    while start < len(body):
        (length,) = _LENGTH.unpack_from(body, start)
        start += _LENGTH.size + length
        found.append(body[start - length : start])
    return found
