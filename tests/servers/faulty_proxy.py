"""A loopback proxy in front of a real server that forwards everything faithfully, but what it is told to spoil.

    async with faulty_proxy(gitea.url) as proxy:
        forge = GiteaForge(url=proxy.url, …)
        proxy.spoil = lambda request: Fault.HTML if "/files" in request.target else None

Every request is kept in `proxy.requests`. The real answer is always fetched first, so that a spoiled one is a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import httpx


class Fault(StrEnum):
    """What becomes of an answer."""

    SERVER_ERROR = "500"
    FORBIDDEN = "403"
    RATE_LIMITED = "403 with Retry-After"
    TOO_MANY = "429"
    UNAUTHORIZED = "401"
    NOT_FOUND = "404"
    MOVED = "302 to a login page"
    HTML = "HTML"
    CUT_JSON = "JSON cut short"
    CUT_CONNECTION = "connection cut in mid-body"
    EMPTY_OBJECT = "{}"
    NULL = "null"
    NO_COUNT = "no X-Total-Count"
    SHORT_PAGE = "the last item of a list is missing"
    SILENCE = "no answer at all"
    DRIPPING = "a byte now and then"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `target` is path and query as sent."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class FaultyProxy:
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    spoil: Callable[[Request], Fault | None] = lambda _: None
    answer: Callable[[Request], httpx.Response | None] = lambda _: None
    """An answer of its own, instead of the server's, which is not asked then."""


@asynccontextmanager
async def faulty_proxy(upstream: str) -> AsyncIterator[FaultyProxy]:
    """The proxy, until the block ends. Connections that still hang then are closed."""
    proxy = FaultyProxy()
    going: set[asyncio.Task[None]] = set()
    ended = False

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        going.add(task)
        try:
            await _serve(proxy, client, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the block ended
        except Exception:
            if not ended:
                raise  # else it is what a request that nobody waits for any more ran into
        finally:
            going.discard(task)
            writer.close()

    async with httpx.AsyncClient(base_url=upstream, timeout=240, trust_env=False) as client:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield proxy
            finally:
                ended = True
                server.close()
                for task in list(going):
                    task.cancel()
                await asyncio.gather(*going, return_exceptions=True)


_PASSED_ON = ("authorization", "private-token", "accept", "content-type", "if-none-match")
_COUNTED = ("x-total-count", "x-total", "x-next-page", "date", "link")
_LIMITS = ("etag", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "x-oauth-scopes")
_COUNTS = (*_COUNTED, *_LIMITS)
"""What is passed back beside the kind of content, unless it is spoiled."""


async def _serve(proxy: FaultyProxy, client: httpx.AsyncClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request on one connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    request = Request(len(proxy.requests), method, target, headers, body)
    proxy.requests.append(request)
    fault = proxy.spoil(request)
    passed_on = {name: value for name, value in headers.items() if name in _PASSED_ON}
    if fault is not None:
        passed_on.pop("if-none-match", None)  # what is spoiled is a whole answer
    answer = proxy.answer(request) or await client.request(method, target, headers=passed_on, content=body)
    await _answer(writer, answer, fault)


async def _answer(writer: asyncio.StreamWriter, answer: httpx.Response, fault: Fault | None) -> None:
    json = {"content-type": answer.headers.get("content-type", "application/json")}
    counted = {**json, **{name: answer.headers[name] for name in _COUNTS if name in answer.headers}}
    said = b'{"message": "the proxy says so"}'
    match fault:
        case None:
            await _write(writer, answer.status_code, counted, answer.content)
        case Fault.SERVER_ERROR:
            await _write(writer, 500, json, said)
        case Fault.FORBIDDEN:
            await _write(writer, 403, json, said)
        case Fault.RATE_LIMITED:
            await _write(writer, 403, {**json, "retry-after": "7"}, said)
        case Fault.TOO_MANY:
            await _write(writer, 429, {**json, "retry-after": "7"}, said)
        case Fault.UNAUTHORIZED:
            await _write(writer, 401, json, said)
        case Fault.NOT_FOUND:
            await _write(writer, 404, json, said)
        case Fault.MOVED:
            await _write(writer, 302, {"location": "http://127.0.0.1:9/login"}, b"")
        case Fault.HTML:
            await _write(writer, 200, {**counted, "content-type": "text/html"}, b"<html><body>Please sign in</body></html>")
        case Fault.CUT_JSON:
            await _write(writer, 200, counted, answer.content[: len(answer.content) // 2])
        case Fault.CUT_CONNECTION:
            await _write(writer, 200, {**counted, "content-length": str(len(answer.content))}, answer.content[: len(answer.content) // 2])
        case Fault.EMPTY_OBJECT:
            await _write(writer, 200, counted, b"{}")
        case Fault.NULL:
            await _write(writer, 200, counted, b"null")
        case Fault.NO_COUNT:
            await _write(writer, answer.status_code, json, answer.content)
        case Fault.SHORT_PAGE:
            await _write(writer, answer.status_code, counted, _shortened(answer))
        case Fault.SILENCE:
            await asyncio.Event().wait()
        case Fault.DRIPPING:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)


def _shortened(answer: httpx.Response) -> bytes:
    """A list, or the list in an object, without its last item; any other answer as it is."""
    value = answer.json()
    if isinstance(value, dict) and "data" in value and isinstance(value["data"], dict):
        _drop_last_node(value["data"])
        return httpx.Response(200, json=value).content
    if isinstance(value, dict):
        lists = [name for name in ("statuses", "data", "tree") if value.get(name)]
        return httpx.Response(200, json={**value, lists[0]: value[lists[0]][:-1]}).content if lists else answer.content
    return httpx.Response(200, json=value[:-1]).content if isinstance(value, list) else answer.content


def _drop_last_node(value: object) -> bool:
    """Of the first list of GraphQL nodes that has any."""
    if not isinstance(value, dict):
        return False
    if value.get("nodes"):
        value["nodes"].pop()
        return True
    return any(_drop_last_node(one) for one in value.values())


async def _write(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = {"content-length": str(len(body)), **headers, "connection": "close"}
    writer.write(f"HTTP/1.1 {status} X\r\n".encode())
    writer.write("".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1"))
    writer.write(b"\r\n" + body)
    await writer.drain()
