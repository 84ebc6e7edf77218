"""Speak to a target's HTTP API: one request with its deadline, and every fault in the house's words.

401 and 403 become AccessRefused, 404 and 410 NotFound, 409 Conflict, 429 RateLimited, any other 4xx PermanentError with
what the target said; all that is not the promised answer (5xx, silence, a redirect, HTML, JSON cut short, an answer without
end) Unreachable. Redirects are never followed, since the credentials would go along. A request whose credentials are not
taken is sent once more if the credentials can be renewed: that is no retry, since nothing was done the first time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from providers.documents import Document, UnexpectedShape, document, parsed
from providers.errors import PermanentError, Unreachable
from providers.targets.http.credentials import Credentials, Nothing
from providers.targets.http.faults import fault

AT_ONCE = 8
"""Requests to one target in flight."""
LONGEST = 4_000_000
"""Bytes of an answer; no answer we ask for is near it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status`: the HTTP status, a success or one that was expected."""

    status: int
    value: Any
    where: str

    def document(self) -> Document:
        """The JSON object it is. Raises Unreachable for anything else."""
        try:
            return document(self.value, self.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem


class TargetClient:
    """Requests to one API with one set of credentials. Safe to use from many tasks at once.

    url: the API's root. timeout: seconds for one request, answer included. ca: a file of certificate authorities to trust
    instead of the system's.
    """

    def __init__(self, *, target: str, url: str, timeout: float, credentials: Credentials | None = None, ca: Path | None = None) -> None:
        self._target = target
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._credentials = credentials or Nothing()
        limits = httpx.Limits(max_connections=AT_ONCE)
        self._client = httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False, verify=_trust(ca))
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> Document:
        """One object."""
        return (await self.call("GET", path, params=params)).document()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        expected: frozenset[int] = frozenset(),
    ) -> Answer:
        """One request; its success, or an answer with a status that is expected. Raises as the module says."""
        answer, retry_after = await self._send(method, path, params, body)
        if answer.status == 401 and 401 not in expected and self._credentials.refused():
            answer, retry_after = await self._send(method, path, params, body)
        if 200 <= answer.status < 300 or answer.status in expected:
            if answer.value is _NOT_JSON:
                raise Unreachable(f"{answer.where}: expected JSON, found something else; is the url that of its API?")
            return answer
        value = None if answer.value is _NOT_JSON else answer.value
        raise fault(self._target, answer.where, answer.status, value, retry_after, self._credentials.hidden)

    async def _send(self, method: str, path: str, params: Mapping[str, str] | None, body: Any) -> tuple[Answer, str]:
        where = f"{self._target}: {method} {path}"
        async with self._slots:
            # what a login says is its own fault, outside this request's deadline
            headers = {"Accept": "application/json", **await self._credentials.headers()}
            content = None if body is None else _encoded(body, where)
            if content is not None:
                headers["Content-Type"] = "application/json"
            async with self._connected(where):
                request = self._client.build_request(method, self._url + path, params=params, content=content, headers=headers)
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    read = await _read(response, where)
                finally:
                    await response.aclose()
        return Answer(response.status_code, _value(read, where), where), response.headers.get("retry-after", "")

    @asynccontextmanager
    async def _connected(self, where: str) -> AsyncIterator[None]:
        """The transport's faults; the deadline also covers a server that sends a byte now and then."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (httpx.TimeoutException, TimeoutError) as problem:
            raise Unreachable(f"{where}: no answer within {self._timeout:g} s") from problem
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            said = self._credentials.hidden(str(problem))
            raise Unreachable(f"{where}: {type(problem).__name__}: {said}") from None


_NOT_JSON = object()


def path_of(*parts: str) -> str:
    """`/a/b` from parts, each percent-encoded, slashes too."""
    return "/" + "/".join(quote(part, safe="") if part not in {".", ".."} else part.replace(".", "%2E") for part in parts)


def _encoded(body: Any, where: str) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as problem:
        raise PermanentError(f"{where}: what should be sent is not JSON: {problem}") from problem


async def _read(response: httpx.Response, where: str) -> bytes:
    read = bytearray()
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > LONGEST:
            raise Unreachable(f"{where}: the answer is longer than {LONGEST:,} bytes")
    return bytes(read)


def _value(read: bytes, where: str) -> Any:
    """The JSON; nothing for an empty answer."""
    try:
        return parsed(read, where) if read else None
    except UnexpectedShape:
        return _NOT_JSON


def _trust(ca: Path | None) -> Any:
    import ssl

    return True if ca is None else ssl.create_default_context(cafile=ca)
