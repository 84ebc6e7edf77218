"""Headers every answer carries, whoever made it: no guessing of types, no frames of others, no addresses given away."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}
"""Where the pages are served over TLS: no browser that has seen them once will ask without."""
_API = {"Cache-Control": "no-store"}
"""Answers that needed a token: no cache in between keeps them for somebody else."""


class SafeHeaders:
    """ASGI middleware. A header that the answer has already stays as it is."""

    def __init__(self, app: ASGIApp, https: bool = False) -> None:
        self._app = app
        self._always = {**_ALWAYS, **(_HTTPS if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = {**self._always, **(_API if scope["path"].startswith(("/v1", "/access/v1")) else {})}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)
