"""What every request passes before its route, and what every answer passes on its way out: one layer for all of it.

Separate layers would each cost a call, a wrapped `send` and a turn of the interpreter, for requests that come by the thousand.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.guard import RequestGuard, limited
from gateway.api.headers import SafeHeaders
from gateway.api.measured import measure


class Shortcut(Protocol):
    """An endpoint past the router and FastAPI, for requests that come by the thousand. Its handlers answer what it raises."""

    def concerned(self, scope: Scope) -> bool:
        """Whether this request is for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the route would."""


class Door:
    """ASGI middleware: guarded, let in, answered with safe headers, measured; in this order, refusals too.

    What a shortcut is for goes straight to it, everything else on to the routes.
    """

    def __init__(self, app: ASGIApp, *, guard: RequestGuard, access: Access, headers: SafeHeaders, shortcuts: Sequence[Shortcut]) -> None:
        self._app = app
        self._guard = guard
        self._access = access
        self._headers = headers
        self._shortcuts = shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers.added(scope, message.get("headers", ()))
            await send(message)

        try:
            refused = self._guard.refused(scope) or await self._access.refused(scope)
            if refused is not None:
                await refused(scope, receive, sending)
                return
            for shortcut in self._shortcuts:
                if shortcut.concerned(scope):
                    await shortcut(scope, receive, sending)
                    return
            await self._app(scope, limited(scope, receive), sending)
        finally:
            measure(scope, status, time.perf_counter() - started)
