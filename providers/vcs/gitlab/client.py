"""Speak to GitLab's REST and GraphQL APIs through python-gitlab: one request, all pages of a list, and every fault in the
house's words.

python-gitlab builds the request, authenticates it and tells successes from failures; its pauses and retries are off, and
it blocks, so each request runs in a thread of this client's own. What goes wrong becomes one of `providers.errors`: 401
and 403 AccessRefused, 404 NotFound, 429 (and 403 with Retry-After) RateLimited, everything that is not the promised
answer Unreachable. https://docs.gitlab.com/api/rest/
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import gitlab
import requests
import urllib3

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, TornFacts, Unreachable
from providers.retry_after import seconds_of
from providers.vcs.documents import Document, UnexpectedShape, document, documents, parsed
from providers.vcs.gitlab.session import AnswerTooLong, Session

PAGE = 100
"""The most GitLab gives in one page."""
MOST_PAGES = 500
"""GitLab refuses offsets beyond 50,000."""
AT_ONCE = 8
"""Requests of one connection in flight."""

NO_SUCH_ROUTE = "404 Not Found"
"""How GitLab answers for what it does not have at all. (Of a thing that is not there it says which: `404 Project Not Found`.)"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its JSON and headers."""

    value: Any
    headers: Mapping[str, str]
    where: str


class GitLabClient:
    """Requests to one server with one token. Safe to use from many tasks at once."""

    def __init__(self, *, url: str, token: str, timeout: float) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("expected a GitLab token of printable ASCII without spaces; check how it is configured")
        if urlsplit(url).scheme not in ("http", "https") or "@" in urlsplit(url).netloc:
            raise ValueError("expected GitLab's URL as http(s)://host without credentials; the token goes into 'token'")
        self._token = token
        self._timeout = timeout
        self._url = url.rstrip("/")
        self._session = Session(deadline=timeout, at_once=AT_ONCE)
        self._gitlab = gitlab.Gitlab(self._url, private_token=token, timeout=timeout, session=self._session)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="gitlab")

    async def close(self) -> None:
        """Once what is on its way has ended; that takes no longer than the deadline of one request."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._session.close()

    async def get(self, path: str, /, **params: str | int | list[str]) -> Document:
        """One object."""
        return self._document(await self.request("get", path, params=params))

    async def write(self, method: str, path: str, body: Mapping[str, Any]) -> Document:
        """One request that changes something; the object it answers with."""
        return self._document(await self.request(method, path, body=body))

    async def graphql(self, query: str, **variables: str | int | None) -> Document:
        """The `data` of one query. https://docs.gitlab.com/api/graphql/"""
        where = "POST /api/graphql"
        answer = await self.request("post", f"{self._url}/api/graphql", body={"query": query, "variables": variables}, where=where)
        reply = self._document(answer)
        if reply.fields.get("errors"):
            raise Unreachable(f"{where}: {self._clean(str(reply.fields['errors']))}")
        try:
            return reply.document("data")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def everything(self, path: str, /, **params: str | int) -> Sequence[Document]:
        """All items of a list, all pages: a full page where another follows, as many as counted where GitLab counts.

        Raises TornFacts if the list changed while it was read.
        """
        found: list[Document] = []
        counted: str | None = None
        page = "1"
        for _ in range(MOST_PAGES):
            answer = await self.request("get", path, params={**params, "page": page, "per_page": PAGE})
            items = self._items(answer)
            found.extend(items)
            total = answer.headers.get("x-total") or None
            if counted is not None and total != counted:
                raise TornFacts(f"{answer.where}: the list changed while its pages were read")
            counted = total
            page = self._next_page(answer, page, len(items))
            if not page:
                break
        else:
            raise PermanentError(f"GET {path}: the list is longer than GitLab shows")
        if counted is not None and counted != str(len(found)):
            raise TornFacts(f"GET {path}: expected {counted} items, found {len(found)}")
        return found

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
        expect_json: bool = True,
        where: str | None = None,
    ) -> Answer:
        """One request; its success. Raises as the module says."""
        where = where or f"{method.upper()} {path}"
        loop = asyncio.get_running_loop()
        try:
            # The session's own deadline comes first, except in headers that drip; waiting for a thread does not count.
            async with self._slots, asyncio.timeout(2 * self._timeout):
                response = await loop.run_in_executor(self._threads, self._send, where, method, path, params, body)
        except TimeoutError as problem:
            raise Unreachable(f"{where}: no answer within {2 * self._timeout:g} s") from problem
        value = None
        if expect_json:
            try:
                value = parsed(response.content, where)
            except UnexpectedShape as problem:
                raise Unreachable(str(problem)) from problem
        return Answer(value, {name.lower(): said for name, said in response.headers.items()}, where)

    def _send(
        self, where: str, method: str, path: str, params: Mapping[str, str | int | list[str]] | None, body: Mapping[str, Any] | None
    ) -> requests.Response:
        """In a thread: the request, or the exception its failure stands for."""
        try:
            return self._gitlab.http_request(
                method,
                path,
                query_data=dict(params or {}),
                post_data=dict(body) if body is not None else None,
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
        except gitlab.exceptions.GitlabError as problem:
            raise self._fault(where, problem) from None
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise Unreachable(f"{where}: no answer within {self._timeout:g} s") from None
        except AnswerTooLong as problem:
            raise PermanentError(f"{where}: {problem}") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            raise Unreachable(f"{where}: {type(problem).__name__}: {self._clean(str(problem))}") from None

    def _fault(self, where: str, problem: gitlab.exceptions.GitlabError) -> ProviderError:
        """The exception an unsuccessful answer stands for."""
        response = self._session.last
        if response is None:
            return Unreachable(f"{where}: {self._clean(str(problem))}")
        status = response.status_code
        said = self._said(problem)
        message = f"{where}: {status}" + (f" {said}" if said else "")
        wait = seconds_of(response.headers.get("retry-after", ""))
        match status:
            case 401:
                return TokenRefused(message, advice="the token is wrong, expired or revoked, or its account may not do this")
            case 403 if wait is not None:
                return RateLimited(message, retry_after=wait)
            case 403:
                return AccessRefused(message, advice="give the token the scope 'api', and its account the role this needs")
            case 404 | 410:
                return Missing(message, said=said)
            case 429:
                return RateLimited(message, retry_after=wait)
            case 301 | 308:
                return NotFound(
                    f"{message}: moved elsewhere", advice="the project was renamed or moved, or the connection's url is not GitLab's own"
                )
            case 408 | 425:
                return Unreachable(message, retry_after=wait)
            case code if code >= 500 or code < 400:
                return Unreachable(message, retry_after=wait)
        return Refused(message, status=status, said=said)

    def _said(self, problem: gitlab.exceptions.GitlabError) -> str:
        """What GitLab gave as the reason, short and without the token; a page of HTML gives none."""
        said: object = problem.error_message
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return "" if text.lstrip().startswith("<") else self._clean(text)

    def _clean(self, text: str) -> str:
        return " ".join(text.replace(self._token, "***").split())[:300]

    def _document(self, answer: Answer) -> Document:
        try:
            return document(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    def _items(self, answer: Answer) -> Sequence[Document]:
        try:
            return documents(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    def _next_page(self, answer: Answer, page: str, length: int) -> str:
        """The number of the page that follows; empty after the last."""
        if "x-next-page" not in answer.headers:
            raise Unreachable(f"{answer.where}: expected X-Next-Page, found none: whether more follows is not known")
        following = answer.headers["x-next-page"].strip()
        if following and (following != str(int(page) + 1) or length != PAGE):
            raise TornFacts(f"{answer.where}: page {page} has {length} items, and page {following[:20]} is said to follow")
        return following


class TokenRefused(AccessRefused):
    """401: the token is not accepted, or (GitLab says it so of merging) its account may not do this."""


class Missing(NotFound):
    """404, with what GitLab `said` is missing."""

    def __init__(self, message: str, *, said: str) -> None:
        super().__init__(message)
        self.said = said


class Refused(PermanentError):
    """A 4xx that means something to who asked: its `status` and what the server `said`."""

    def __init__(self, message: str, *, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


def path_of(*parts: str | int) -> str:
    """`/projects/group%2Fsubgroup%2Fproject/…` from parts, each percent-encoded whole, as GitLab wants paths and branches.

    Raises NotFound for a part that would leave its place (`..`): nothing on a GitLab has such a name.
    """
    for part in parts:
        if {".", "..", ""} & set(str(part).split("/")):
            raise NotFound(f"no project, branch or file is named '{part}'")
    return "/" + "/".join(quote(str(part), safe="") for part in parts)
