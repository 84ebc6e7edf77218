"""Headers every answer carries, whoever made it: no guessing of types, no frames of others, no addresses given away."""

from __future__ import annotations

from collections.abc import Mapping

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
_REQUEST_ID = b"x-request-id"
_API = {"Cache-Control": "no-store"}
"""Answers that needed a token: no cache in between keeps them for somebody else."""


class SafeHeaders:
    """ASGI middleware. A header that the answer has already stays as it is."""

    def __init__(self, app: ASGIApp, https: bool = False) -> None:
        self._app = app
        always = {**_ALWAYS, **(_HTTPS if https else {})}
        self._always, self._api = _raw(always), _raw({**always, **_API})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = self._api if scope["path"].startswith(("/v1", "/access/v1")) else self._always

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = list(message.get("headers", ()))
                names = {name.lower() for name, _ in there}
                message["headers"] = [*there, *(header for header in wanted if header[0] not in names)]
            await send(message)

        await self._app(scope, receive, sending)


class EchoedRequestIds:
    """ASGI middleware: what came with an `X-Request-ID` is answered with it, refusals too, on AuthZEN's paths.

    https://openid.net/specs/authorization-api-1_0.html, "Request Identification in a Response".
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = [header for header in scope.get("headers", ()) if header[0] == _REQUEST_ID]
        if scope["type"] != "http" or not given or not scope["path"].startswith("/access/v1"):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *given[:1]]
            await send(message)

        await self._app(scope, receive, sending)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI has them: made once, not for each answer."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
