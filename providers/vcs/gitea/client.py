"""Speak to Gitea's REST API: one request with its deadline, all pages of a list, and every fault in the house's words.

What goes wrong becomes one of `providers.errors`: 401 and 403 AccessRefused (a missing scope is named), 404 NotFound,
429 RateLimited, and everything that is not the promised answer (5xx, a time-out, HTML, JSON cut short, a field
missing, a page short) Unreachable. Redirects are never followed, since the token would go along. The token is sent in
a header and appears nowhere else.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, TornFacts, Unreachable
from providers.retry_after import seconds_of
from providers.vcs.documents import Document, UnexpectedShape, document, documents, parsed

PAGE = 50
"""The server's cap (`max_response_items`); more is silently cut to it."""
AT_ONCE = 8
"""Requests of one connection in flight."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its JSON and how many items the list has in all (None if the server did not say)."""

    value: Any
    total: int | None
    where: str


class GiteaClient:
    """Requests to one server with one token. Safe to use from many tasks at once."""

    def __init__(self, *, url: str, token: str, timeout: float, client: httpx.AsyncClient | None = None) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("expected a Gitea token of printable ASCII without spaces; check how it is configured")
        if urlsplit(url).scheme not in ("http", "https") or "@" in urlsplit(url).netloc:
            raise ValueError("expected Gitea's URL as http(s)://host without credentials; the token goes into 'token'")
        self._api = url.rstrip("/") + "/api/v1"
        self._token = token
        self._timeout = timeout
        self._client = client or httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE), trust_env=False)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._asking: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """What is still asked is given up: of several requests at once one may have failed, and then nobody waits for the others. A
        connection that one of them opened afterwards would never be closed."""
        asking = tuple(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._client.aclose()

    async def get(self, path: str, **params: str | int) -> Document:
        """One object."""
        answer = await self.request("GET", path, params=params)
        try:
            return document(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def listed(self, path: str) -> Sequence[Document]:
        """A list that the server never cuts into pages, and does not count."""
        return self._items(await self.request("GET", path), None)

    async def request(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, json: Any = None, expect_json: bool = True
    ) -> Answer:
        """One request; its success. Raises as the module says."""
        where = f"{method} {path}"
        with self._under_way():
            async with self._slots, self._connected(where):
                response = await self._client.request(
                    method,
                    self._api + path,
                    params=dict(params or {}),
                    json=json,
                    headers={"Authorization": f"token {self._token}", "Accept": "application/json"},
                    timeout=self._timeout,
                    follow_redirects=False,
                )
        if not response.is_success:
            raise self._fault(where, response)
        return self._answer(where, response, expect_json)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._asking.add(task)
        try:
            yield
        finally:
            self._asking.discard(task)

    async def everything(self, path: str, *, key: str | None = None, hidden: bool = False, **params: str | int) -> Sequence[Document]:
        """All items of a list, all pages. `key`: the list stands in this field of an object.

        `hidden`: the server counts items it does not show us (drafts of reviews), so that fewer may come than it counts.
        Raises TornFacts if the list changed while it was read, Unreachable if it stayed shorter than promised.
        """
        found: list[Document] = []
        total: int | None = None
        for page in itertools.count(1):
            answer = await self.request("GET", path, params={**params, "page": page, "limit": PAGE})
            items = self._items(answer, key)
            found.extend(items)
            total = _same_total(answer, total)
            if len(found) >= total or (not items and page * PAGE >= total):
                break
            if not items and not hidden:
                break
        assert total is not None
        if len(found) > total or (len(found) < total and not hidden):
            raise Unreachable(f"GET {path}: expected {total} items, found {len(found)}")
        return found

    def _items(self, answer: Answer, key: str | None) -> Sequence[Document]:
        try:
            if key is not None:
                return document(answer.value, answer.where).documents(key)
            return documents(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    @asynccontextmanager
    async def _connected(self, where: str) -> AsyncIterator[None]:
        """The transport's faults; the deadline also covers a server that sends a byte now and then."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (httpx.TimeoutException, TimeoutError) as problem:
            raise Unreachable(f"{where}: no answer within {self._timeout:g} s") from problem
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise Unreachable(f"{where}: {type(problem).__name__}: {self._clean(str(problem))}") from None

    def _answer(self, where: str, response: httpx.Response, expect_json: bool) -> Answer:
        value = None
        if expect_json:
            try:
                value = parsed(response.content, where)
            except UnexpectedShape as problem:
                raise Unreachable(str(problem)) from problem
        total = response.headers.get("x-total-count", "")
        return Answer(value, int(total) if total.isdecimal() else None, where)

    def _fault(self, where: str, response: httpx.Response) -> ProviderError:
        """The exception an unsuccessful answer stands for."""
        said = self._said(response)
        message = f"{where}: {response.status_code}" + (f" {said}" if said else "")
        wait = seconds_of(response.headers.get("retry-after", ""))
        match response.status_code:
            case 401:
                return TokenRefused(message, advice="the token is wrong, expired or revoked: make a new one and configure it")
            case 403 if wait is not None:
                return RateLimited(message, retry_after=wait)
            case 403:
                return AccessRefused(message, advice="give the token the scope, or its account the role, that the message names")
            case 404 | 410:
                return NotFound(message)
            case 429:
                return RateLimited(message, retry_after=wait)
            case 301 | 308:
                return NotFound(
                    f"{message}: moved elsewhere", advice="the repository was renamed, or the connection's url is not Gitea's own"
                )
            case 408 | 425:
                return Unreachable(message, retry_after=wait)
            case code if code >= 500 or code < 400:
                return Unreachable(message, retry_after=wait)
        return Refused(message, status=response.status_code, said=said)

    def _said(self, response: httpx.Response) -> str:
        """What the server gave as the reason, short and without the token."""
        try:
            value = parsed(response.content, "")
        except UnexpectedShape:
            return ""
        said = value.get("message") if isinstance(value, dict) else None
        return self._clean(said) if isinstance(said, str) else ""

    def _clean(self, text: str) -> str:
        return " ".join(text.replace(self._token, "***").split())[:300]


class TokenRefused(AccessRefused):
    """The token itself is not accepted, for anything."""


class Refused(PermanentError):
    """A 4xx that means something to who asked: its `status` and what the server `said`."""

    def __init__(self, message: str, *, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


def path_of(*parts: str | int) -> str:
    """`/repos/…` from parts, each percent-encoded; a `/` within a part stays (`owner/name`, branches).

    Raises NotFound for a part that would leave its place (`..`): nothing on a Gitea has such a name.
    """
    for part in parts:
        if {".", "..", ""} & set(str(part).split("/")):
            raise NotFound(f"no repository, branch or file is named '{part}'")
    return "/" + "/".join(quote(str(part), safe="/") for part in parts)


def _same_total(answer: Answer, before: int | None) -> int:
    """How long the list is; every page has to say the same."""
    if answer.total is None:
        raise Unreachable(f"{answer.where}: expected the list's length in X-Total-Count, found none")
    if before is not None and answer.total != before:
        raise TornFacts(f"{answer.where}: the list changed while its pages were read")
    return answer.total
