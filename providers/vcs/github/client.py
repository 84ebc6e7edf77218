"""Speak to GitHub's API: one request with its deadline, all pages of a list, GraphQL, and every fault in the house's words.

Everything that is not the promised answer is a fault: 5xx, a time-out, HTML, JSON cut short, a field missing, GraphQL data
that comes with errors. Reads by REST are conditional: an answer that has not changed since costs nothing of the allowance.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from cachetools import LRUCache

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, Unreachable
from providers.vcs.documents import Document, UnexpectedShape, document, documents, parsed
from providers.vcs.github.credentials import InstallationAuth, TokenAuth
from providers.vcs.github.faults import AT_LEAST, TokenRefused, clean, fault_of
from providers.vcs.github.transport import Reply, Transport

T = TypeVar("T")

PAGE = 100
MOST_PAGES = 1_000
"""Of one list; no list here is that long, so one that goes on does so by mistake."""
AT_ONCE = 8
"""Requests of one connection in flight; GitHub allows a hundred for everything an account does."""
REMEMBERED_BYTES = 32 * 1024 * 1024
"""Of answers kept to be asked for again only if they changed."""
_NEXT = re.compile(r'<[^>]*>\s*;\s*rel="next"')


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its JSON, whether more pages follow, and which scopes a classic token has (None: not told)."""

    value: Any
    more: bool
    scopes: str | None
    where: str


class GithubClient:
    """Requests to one GitHub with one identity. Safe to use from many tasks at once."""

    def __init__(self, *, api_url: str, auth: TokenAuth | InstallationAuth, timeout: float) -> None:
        self.auth = auth
        self._transport = Transport(api_url=api_url, auth=auth, timeout=timeout)
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="github")
        self._remembered: LRUCache[tuple[str, str], tuple[str, Reply]] = LRUCache(
            REMEMBERED_BYTES, getsizeof=lambda kept: len(kept[1].body) + 1_000
        )

    async def close(self) -> None:
        """Let go of threads and connections, once what is under way has ended: at most one deadline from now."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._transport.close()
        self.auth.close()

    async def get(self, path: str, **parameters: str | int) -> Document:
        """One object."""
        answer = await self.request("GET", path, parameters=parameters)
        try:
            return document(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def everything(self, path: str, *, key: str | None = None, **parameters: str | int) -> Sequence[Document]:
        """All items of a list, all pages. `key`: the list stands in this field of an object.

        A full page is never taken for the last one on the word of a header that is not there.
        """
        found: list[Document] = []
        for page in range(1, MOST_PAGES + 1):
            answer = await self.request("GET", path, parameters={**parameters, "per_page": PAGE, "page": page})
            items = _items(answer, key)
            found.extend(items)
            if not answer.more and len(items) < PAGE:
                return found
        raise PermanentError(f"GET {path}: the list does not end after {MOST_PAGES} pages")

    async def query(self, text: str, **variables: Any) -> Document:
        """GraphQL's `data`, whole. Any error beside it makes it a fault: a null there would be read as "there is none"."""
        answer = await self.request("POST", "/graphql", json={"query": text, "variables": variables})
        try:
            given = document(answer.value, answer.where)
            if given.fields.get("errors"):
                raise self._graphql_fault(given.documents("errors"))
            return Document(given.document("data").fields, "GraphQL")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def request(
        self, method: str, path: str, *, parameters: Mapping[str, str | int] | None = None, json: Any = None, expect_json: bool = True
    ) -> Answer:
        """One request; its success. Raises as the module says."""
        where, asked = f"{method} {path}", dict(parameters or {})
        reply = await self._reply(method, path, asked, json)
        if not 200 <= reply.status < 300:
            raise self._fault(where, reply)
        value = None
        if expect_json:
            try:
                value = parsed(reply.body, where)
            except UnexpectedShape as problem:
                raise Unreachable(str(problem)) from problem
        return Answer(value, bool(_NEXT.search(reply.headers.get("link", ""))), reply.headers.get("x-oauth-scopes"), where)

    async def as_app(self, method: str, path: str, json: Any = None) -> Document:
        """A request as the App itself, which some need; one object. Raises Unreachable and AccessRefused."""
        assert isinstance(self.auth, InstallationAuth)
        reply = await self.in_thread(self.auth.as_app, method, path, json)
        try:
            return document(parsed(reply.body, f"{method} {path}"), f"{method} {path}")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _reply(self, method: str, path: str, parameters: dict[str, str | int], json: Any) -> Reply:
        """The answer, or, if the server says that it has not changed, the one that was kept."""
        name = (path, repr(sorted(parameters.items())))
        kept = self._remembered.get(name) if method == "GET" else None
        headers = {"If-None-Match": kept[0]} if kept is not None else {}

        def send() -> Reply:
            return self._transport.send(method, path, parameters=parameters, headers=headers, input=json)

        reply = await self.in_thread(send)
        if reply.status == 304 and kept is not None:
            return kept[1]
        etag = reply.headers.get("etag")
        if method == "GET" and reply.status == 200 and etag and len(reply.body) < REMEMBERED_BYTES // 8:
            self._remembered[name] = (etag, reply)
        return reply

    async def in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        """What blocks, in a thread. The deadline also covers waiting for one, and what a thread cannot be stopped in."""
        try:
            async with asyncio.timeout(self._timeout * 2):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        except TimeoutError as problem:
            raise Unreachable(f"no answer within {self._timeout * 2:g} s") from problem

    def _fault(self, where: str, reply: Reply) -> ProviderError:
        secrets = self.auth.secrets()
        fault = fault_of(where, reply, secrets)
        if isinstance(fault, TokenRefused):
            for secret in secrets:
                self.auth.refused(secret)
        return fault

    def _graphql_fault(self, errors: Sequence[Document]) -> ProviderError:
        """https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api"""
        said = clean("; ".join(error.text("message") for error in errors), self.auth.secrets())
        message = f"POST /graphql: {said}"
        kinds = {error.text_or_none("type") for error in errors}
        if "RATE_LIMITED" in kinds:
            return RateLimited(message, retry_after=AT_LEAST)
        if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
            return AccessRefused(message, advice="give the token or App the permission that the message names")
        if kinds == {"NOT_FOUND"}:
            return NotFound(message)
        if any("doesn't exist on type" in error.text("message") for error in errors):
            return PermanentError(message, advice="this GitHub Enterprise Server is too old: version 3.17 or later is needed")
        return Unreachable(message)


def path_of(*parts: str | int) -> str:
    """`/repos/…` from parts, each percent-encoded; a `/` within a part stays (`owner/name`, branches).

    Raises NotFound for a part that would leave its place (`..`): nothing on GitHub has such a name.
    """
    for part in parts:
        if {".", "..", ""} & set(str(part).split("/")):
            raise NotFound(f"no repository, branch or file is named '{part}'")
    return "/" + "/".join(quote(str(part), safe="/") for part in parts)


def _items(answer: Answer, key: str | None) -> Sequence[Document]:
    try:
        if key is not None:
            return document(answer.value, answer.where).documents(key)
        return documents(answer.value, answer.where)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
