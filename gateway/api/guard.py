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
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from gateway.api.bodies import BODY_LIMIT, too_large
from gateway.api.problems import problem

SMALL_BODY = 1024 * 1024
"""Bytes. Routes that take more read it with a limit of their own."""
_OWN_LIMIT = ("/webhooks/", "/v1/admissions", "/v1/relations", "/v1/submissions")
_BY_ANY_NAME = ("/v1/", "/access/", "/webhooks/", "/healthz", "/readyz", "/metrics")
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestGuard:
    """hosts: names this gateway goes by, without ports; IP addresses and localhost always are."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    def refused(self, scope: Scope) -> Response | None:
        """The refusal, if this is no request to look at any further."""
        refused = self._refused(scope)
        if refused is None:
            return None
        status, detail = refused
        return problem(status, detail, headers={"Connection": "close"} if status == 413 else None)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if len(headers) < len(scope["headers"]) and _has_two(scope, b"host", b"authorization"):
            return 400, "a request has one Host and at most one Authorization"
        declared = headers.get(b"content-length")
        if declared is not None and not declared.isdigit():
            return 400, "Content-Length is not a number"
        if declared is not None and (len(declared) > 18 or int(declared) > _limit(scope)):
            return 413, too_large(_limit(scope))
        if scope["path"].startswith(_BY_ANY_NAME):
            return None
        host = _hostname(headers.get(b"host", b"").decode("latin-1"))
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

    def _same_site(self, headers: dict[bytes, bytes], host: str) -> bool:
        """By what browsers say of themselves (w3.org/TR/fetch-metadata, rfc-editor.org/rfc/rfc6454); others say neither."""
        fetched = headers.get(b"sec-fetch-site", b"none")
        if fetched not in {b"none", b"same-origin"}:
            return False
        origin = headers.get(b"origin")
        if origin == b"null":  # a page that keeps its address to itself; whose it is, only the browser can say then
            return fetched == b"same-origin"
        return origin is None or _hostname(urlsplit(origin.decode("latin-1")).netloc) == host


def _has_two(scope: Scope, *wanted: bytes) -> bool:
    names = [name for name, _ in scope["headers"]]
    return any(names.count(name) > 1 for name in wanted)


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


def limited(scope: Scope, receive: Receive) -> Receive:
    """The request's body, refused with 413 where it grows larger than its path allows."""
    limit, read = _limit(scope), 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return receiving
