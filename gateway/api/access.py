"""Who may come in: every `/v1` and `/access/v1` path needs a bearer token, whether or not there is anything at it; and nobody too often."""

from __future__ import annotations

import math
from http.cookies import CookieError, SimpleCookie

from starlette.responses import Response
from starlette.types import Scope

from gateway.api.problems import problem
from gateway.api.rates import Rates
from gateway.operations.access import Tokens

COOKIE = "admit_token"
_GUARDED = ("/v1", "/access/v1")


def is_guarded(path: str) -> bool:
    """Whether this is the API, whose every answer needs a token."""
    return any(path == root or path.startswith(f"{root}/") for root in _GUARDED)


class Access:
    """Recognises tokens, and counts who asks how often."""

    def __init__(self, tokens: Tokens, rates: Rates) -> None:
        self._tokens = tokens
        self._rates = rates

    async def refused(self, scope: Scope) -> Response | None:
        """The refusal, if this request is one too many or lacks a token; the token is at `scope["admit.token"]`, on pages too."""
        guarded = is_guarded(scope["path"])
        text = _presented(scope, cookies=not guarded)
        token = await self._tokens.recognise(text) if text else None
        scope["admit.token"] = token
        if (wait := self._rates.wait(scope, token)) > 0:
            seconds = math.ceil(wait)
            return problem(429, "too many requests", advice=f"try again in {seconds} s", headers={"Retry-After": str(seconds)})
        if guarded and token is None:
            return problem(
                401,
                "this needs a valid token" if text else "this needs a token",
                advice="send it as: Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None


def _presented(scope: Scope, *, cookies: bool) -> str | None:
    """The token sent. Cookies count for pages only, so that no other site's page can make a browser call the API."""
    headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"authorization", b"cookie")}
    scheme, _, text = headers.get(b"authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        return text.strip()
    if not cookies or b"cookie" not in headers:
        return None
    try:
        morsel = SimpleCookie(headers[b"cookie"]).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else str(morsel.value)
