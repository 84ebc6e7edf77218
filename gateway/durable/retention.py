"""How long ended runs are kept, on every engine, where nobody says otherwise; and the loop that forgets them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.durable.port import DurableError
from gateway.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

RETENTION = 30 * 24 * 3600.0
"""Seconds: long enough to ask what happened last month; a decision's own record is kept elsewhere, and longer."""
PORTION = 500
"""Runs forgotten at once."""
RETIRING = 600.0
"""Seconds between looks for such."""


async def retiring(retire: Callable[[], Awaitable[int]]) -> None:
    """For ever: forget a portion after another until there is less than one, then rest."""
    while True:
        try:
            while await retire() >= PORTION:
                pass
        except (DurableError, DatabaseUnavailable) as problem:
            log.warning("old runs could not be forgotten", problem=str(problem))
        except Exception:  # the loop's edge: it has to outlive whatever goes wrong in one round
            log.exception("old runs could not be forgotten")
        await asyncio.sleep(RETIRING)
