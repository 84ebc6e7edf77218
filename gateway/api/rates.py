"""How often anybody may ask: a token bucket for each API token, for each connection's deliveries, and for each address without.

Kept in this process: each gateway allows as much. It protects against clients that run away, not against floods of the
network; those are for what stands before the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache
from starlette.types import Scope

from gateway.storage import StoredToken

_BURST_SECONDS = 2.0
_ROUNDING = 1e-9
_REMEMBERED = 10_000
"""Buckets at hand; whoever was forgotten begins with a full one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests a second; twice as many at once."""

    per_token: float = 10_000.0
    per_connection: float = 10_000.0
    per_address: float = 1_000.0


class Rates:
    """Counts requests. clock: seconds, never going back."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: LRUCache[tuple[str, str], tuple[float, float]] = LRUCache(_REMEMBERED)

    def wait(self, scope: Scope, token: StoredToken | None) -> float:
        """Count this request; 0, or the seconds until there is room for it, in which case it is not counted."""
        path = scope["path"]
        if token is not None:
            return self._take(("token", token.name), self._limits.per_token)
        if path.startswith("/webhooks/"):
            return self._take(("connection", path.removeprefix("/webhooks/")), self._limits.per_connection)
        return self._take(("address", str((scope.get("client") or ("",))[0])), self._limits.per_address)

    def _take(self, key: tuple[str, str], rate: float) -> float:
        now, most = self._clock(), max(rate * _BURST_SECONDS, 1.0)
        left, at = self._buckets.get(key, (most, now))
        left = min(most, left + (now - at) * rate)
        if left < 1.0 - _ROUNDING:
            self._buckets[key] = (left, now)
            return (1.0 - left) / rate
        self._buckets[key] = (left - 1.0, now)
        return 0.0
