"""The clock, as a parameter: whoever needs the time is given one, so that tests can hold it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Aware, UTC."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)
