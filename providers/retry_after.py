"""Retry-After, which every HTTP server may send: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_of(retry_after: str) -> float | None:
    """Seconds to wait, from either form of the header; None for what is neither."""
    value = retry_after.strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
