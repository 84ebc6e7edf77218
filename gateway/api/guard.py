"""What is refused of any request before anybody looks at who sent it: a host that is not ours, another site's page acting
through somebody's browser, a body that is too large.

Hosts and origins matter to pages, which a browser asks for by itself, with its cookie. The API takes bearer tokens alone, and a
webhook is known by its signature: both pass, by whichever name they reach us.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.bodies import BODY_LIMIT, too_large
from gateway.api.problems import problem

SMALL_BODY = 1024 * 1024
"""Bytes. Routes that take more read it with a limit of their own."""
_OWN_LIMIT = ("/webhooks/", "/v1/admissions", "/v1/relations", "/v1/submissions")
_BY_ANY_NAME = ("/v1/", "/access/", "/webhooks/", "/healthz", "/readyz", "/metrics")
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestGuard:
    """ASGI middleware. hosts: names this gateway goes by, without ports; IP addresses and localhost always are."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is not None:
            status, detail = refused
            await problem(status, detail, headers={"Connection": "close"} if status == 413 else None)(scope, receive, send)
            return
        await self._app(scope, _limited(receive, _limit(scope)), send)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        names = [name for name, _ in scope["headers"]]
        if names.count(b"host") > 1 or names.count(b"authorization") > 1:
            return 400, "a request has one Host and at most one Authorization"
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        declared = headers.get(b"content-length")
        if declared is not None and not (declared.isascii() and declared.isdigit()):
            return 400, "Content-Length is not a number"
        if declared is not None and (len(declared) > 18 or int(declared) > _limit(scope)):
            return 413, too_large(_limit(scope))
        if scope["path"].startswith(_BY_ANY_NAME):
            return None
        host = _hostname(headers.get(b"host", ""))
        if not self._ours(host):
            return 421, "this gateway does not go by that name; its names are public_url's and those of hosts: in admit.yaml"
        if scope["method"] not in _LOOKING and not self._same_site(headers, host):
            return 403, "this came from another site's page, and acts for nobody"
        return None

    def _ours(self, host: str) -> bool:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host in self._hosts
        return True  # no other site's name can be made to lead to a page of that origin

    def _same_site(self, headers: dict[bytes, str], host: str) -> bool:
        """By what browsers say of themselves (w3.org/TR/fetch-metadata, rfc-editor.org/rfc/rfc6454); others say neither."""
        fetched = headers.get(b"sec-fetch-site", "none")
        if fetched not in {"none", "same-origin"}:
            return False
        origin = headers.get(b"origin")
        if origin == "null":  # a page that keeps its address to itself; whose it is, only the browser can say then
            return fetched == "same-origin"
        return origin is None or _hostname(urlsplit(origin).netloc) == host


def _hostname(netloc: str) -> str:
    """Without its port, in lower case; empty for what is no host."""
    if "@" in netloc:
        return ""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _limit(scope: Scope) -> int:
    path = scope["path"]
    own = path.startswith(_OWN_LIMIT) or (scope["method"] == "PUT" and path.startswith("/v1/bundles/"))
    return BODY_LIMIT if own else SMALL_BODY


def _limited(receive: Receive, limit: int) -> Receive:
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return receiving
