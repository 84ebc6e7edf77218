"""Where a page of decisions ended: opaque to whoever gets it, and valid however many decisions arrive meanwhile."""

from __future__ import annotations

import base64
import binascii
import re

_WRITTEN = re.compile(rb"d1:(-?\d{1,18}):(\d{1,18})")


def write_cursor(at_ms: int, order: int) -> str:
    """After the decision of this time and order."""
    return base64.urlsafe_b64encode(f"d1:{at_ms}:{order}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[int, int]:
    """Its time in ms and order. Raises ValueError for one that `write_cursor` did not write."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = _WRITTEN.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error):
        found = None
    if found is None or write_cursor(int(found[1]), int(found[2])) != cursor:
        raise ValueError("the cursor is not one that was given out; start again without one")
    return int(found[1]), int(found[2])
