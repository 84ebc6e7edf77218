"""A closed loop of HTTP requests: so many connections, each sending its next request when the last is answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


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
    numbers = iter(range(requests))
    latencies: list[float] = []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            headers, body = bodies(number)
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
            started = time.perf_counter()
            writer.write(head.encode() + body)
            answered = await _answer(reader)
            latencies.append((time.perf_counter() - started) * 1000)
            if answered != status:
                raise AssertionError(f"expected {status} from {url}, got {answered}")
        writer.close()
        await writer.wait_closed()

    started = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(at_once)))
    elapsed = time.perf_counter() - started
    percentiles = statistics.quantiles(latencies, n=100)
    return Load(rate=requests / elapsed, p50=percentiles[49], p99=percentiles[98], requests=requests)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:"))
    await reader.readexactly(length)
    return int(head[0].split()[1])
