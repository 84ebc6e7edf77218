"""Large bytes made small for the database: what is written takes most of the time of a delivery, and most of the disk.

A forge's JSON shrinks to an eighth, in less time than the pages that it spares take to write. Separate from the blobs, which are
known by the digest of what they hold, never of how it is kept.
"""

from __future__ import annotations

import zlib
from typing import Final

from gateway.errors import StorageError

try:
    from isal.isal_zlib import compress
except ImportError:  # not made for this platform
    from zlib import compress

ZLIB: Final = "zlib"
"""What the database calls it; bytes that are kept as they are have no such word."""
_WORTH_IT = 4096
"""Bytes: about a page of a database. What fits there costs no less when it is smaller."""
_QUICKLY = 1024 * 1024
"""Bytes that are packed in a hundredth of a second or two. The writer does nothing else meanwhile, so nothing larger is."""
_QUICKEST = 1
"""Of zlib's levels. Those of ISA-L begin at 0, but its 1 is nearly as quick and leaves less."""


def packed(content: bytes) -> bytes | None:
    """The same in fewer bytes; None where that is not worth it."""
    if not _WORTH_IT < len(content) <= _QUICKLY:
        return None
    smaller = compress(content, _QUICKEST)
    return smaller if len(smaller) < len(content) else None


def unpacked(content: bytes) -> bytes:
    """What was packed. Raises StorageError for what cannot have been: its own bytes have been changed."""
    unpacking = zlib.decompressobj()
    try:
        whole = unpacking.decompress(content, _QUICKLY)
    except zlib.error as problem:
        raise StorageError(f"expected packed bytes, found others: {problem}") from problem
    if not unpacking.eof or unpacking.unused_data:
        raise StorageError("expected packed bytes, found some that end elsewhere")
    return whole
