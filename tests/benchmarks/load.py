"""A closed loop of HTTP requests: so many connections, each sending its next request when the last is answered.

It shares its processors with what is measured, so that requests are made beforehand, and answers are read no further than
their status and length say.
"""

from __future__ import annotations

import asyncio
import functools
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it: requests per second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int


async def closed_loop(
    url: str, bodies: Callable[[int], tuple[Mapping[str, str], bytes]], *, at_once: int, requests: int, status: int
) -> Load:
    """`bodies(n)`: headers and body of the n-th request. Every answer must have this status."""
    parts = urlsplit(url)
    waiting = iter([_request(parts.netloc, parts.path or "/", *bodies(number)) for number in range(requests)])
    connect = functools.partial(asyncio.get_running_loop().create_connection, functools.partial(_Connection, waiting, status))
    started = time.perf_counter()
    connections = [(await connect(parts.hostname, parts.port))[1] for _ in range(at_once)]
    await asyncio.gather(*(each.ended for each in connections))
    elapsed = time.perf_counter() - started
    percentiles = statistics.quantiles([latency for each in connections for latency in each.latencies], n=100)
    return Load(rate=requests / elapsed, p50=percentiles[49], p99=percentiles[98], requests=requests)


def _request(host: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """One connection's requests, taken from those of all. `ended`: nothing is left to send; `latencies` in milliseconds."""

    def __init__(self, waiting: Iterator[bytes], status: int) -> None:
        self._waiting, self._status = waiting, status
        self._received = bytearray()
        self.latencies: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its classes
        self._send_next()

    def _send_next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self.ended.set_result(None)
            self._transport.close()
        else:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._received, 0, end - 2) if end > 3 else None
        if length is None or len(self._received) < end + int(length[1]):
            return
        self.latencies.append((time.perf_counter() - self._sent_at) * 1000)
        if int(self._received[9:12]) != self._status:
            self._fail(AssertionError(f"expected {self._status}, got {bytes(self._received[:1000])!r}"))
        self._received.clear()
        if not self.ended.done():
            self._send_next()

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.ended.done():
            self._fail(ConnectionError(f"the connection was closed: {problem}"))

    def _fail(self, problem: Exception) -> None:
        self.ended.set_exception(problem)
        self._transport.close()
