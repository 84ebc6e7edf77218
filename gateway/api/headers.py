"""Headers every answer carries, whoever made it: no guessing of types, no frames of others, no addresses given away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.types import Scope

Raw = tuple[bytes, bytes]

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
_AUTHZEN = "/access/v1"
_REQUEST_ID = b"x-request-id"


class SafeHeaders:
    """What is added to answers. A header that an answer has already stays as it is."""

    def __init__(self, *, https: bool = False) -> None:
        always = {**_ALWAYS, **(_HTTPS if https else {})}
        self._always, self._api = _raw(always), _raw({**always, **_API})

    def added(self, scope: Scope, there: Iterable[Raw]) -> list[Raw]:
        """The headers of an answer to this request: those that are there, and what they lack.

        On AuthZEN's paths what came with an `X-Request-ID` is answered with it, refusals too.
        https://openid.net/specs/authorization-api-1_0.html, "Request Identification in a Response".
        """
        path: str = scope["path"]
        wanted = self._api if path.startswith(("/v1", _AUTHZEN)) else self._always
        headers = list(there)
        names = {name.lower() for name, _ in headers}
        headers += wanted if names.isdisjoint(name for name, _ in wanted) else [each for each in wanted if each[0] not in names]
        if path.startswith(_AUTHZEN):
            headers += [header for header in scope["headers"] if header[0] == _REQUEST_ID][:1]
        return headers


def _raw(headers: Mapping[str, str]) -> tuple[Raw, ...]:
    """As ASGI has them: made once, not for each answer."""
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())
