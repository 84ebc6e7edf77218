"""Counts and times every answer by its route: the pattern, never the path, of which there are as many as there are changes."""

from __future__ import annotations

import functools
import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.operations.measures import REQUEST_SECONDS, REQUESTS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class Measured:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = str(getattr(scope.get("route"), "path_format", "other"))
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _requests(method, route, status).inc()
            _seconds(route).observe(time.perf_counter() - started)


@functools.cache  # as many as there are routes
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, str(status))


@functools.cache
def _seconds(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)
