"""Counts and times every answer by its route: the pattern, never the path, of which there are as many as there are changes."""

from __future__ import annotations

import functools

from prometheus_client import Counter, Histogram
from starlette.types import Scope

from gateway.operations.measures import REQUEST_SECONDS, REQUESTS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


def measure(scope: Scope, status: int, seconds: float) -> None:
    """Count a request that has been answered."""
    route = str(getattr(scope.get("route"), "path_format", "other"))
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _requests(method, route, status).inc()
    _seconds(route).observe(seconds)


@functools.cache  # as many as there are routes
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, str(status))


@functools.cache
def _seconds(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)
