"""The engine room against a raw OPA server: evaluations per second and p99, same policy, same inputs, same process asking.

The server is asked in two ways, both over kept-alive connections to a unix socket: with aiohttp, the
fastest of the clients that applications use, and with an HTTP client written for this one purpose, the least that
can be done: head and body joined, the answer's length found, its JSON parsed. The engine does all its work: wrapping, queueing,
watching, parsing. They take turns in short rounds, so that a busy machine is as busy for each.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from policies.engines import Evaluation
from policies.engines.opa_library import OpaLibrary
from tests.benchmarks.engines_rules import evaluation, inputs, queries, served_body, served_modules
from tests.benchmarks.rows import Row
from tests.servers.need import need
from tests.servers.opa import opa_server

PATH = "/v1/data/bench/answer?strict-builtin-errors=true"
COLLECTOR = {"GOGC": "800"}
"""Of Go's memory: as our own workers have it, so that the server is at its best too."""
LOOKED_AT = {query.package for query in queries()}
SECONDS = 3.0
ROUNDS = 7


Asker = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """Median of the rounds' rates, and p99 of all answers in milliseconds."""

    per_second: float
    p99_ms: float


async def measure(at_once: tuple[int, ...] = (1, 8, 32), seconds: float = SECONDS) -> list[Row]:
    """Two rows, rate and p99, for each input, number at once and way to ask the server."""
    rows: list[Row] = []
    with opa_server(need("opa"), served_modules(), {}, COLLECTOR) as address:
        engine = OpaLibrary()
        for size, document in inputs().items():
            for number in at_once:
                rows += await _compared(f"evaluate {size}, {number} at once", engine, address, document, number, seconds)
        await engine.close()
    return rows


async def _compared(what: str, engine: OpaLibrary, address: str, document: bytes, number: int, seconds: float) -> list[Row]:
    body = served_body(document)
    raw = [await RawClient.connect(address, body) for _ in range(number)]
    async with aiohttp.ClientSession("http://opa", connector=aiohttp.UnixConnector(address, limit=number)) as client:
        asking = {
            "OPA server, own HTTP client": [each.ask for each in raw],  # first: it hangs up on those who say nothing for half a minute
            "OPA server asked with aiohttp": [_application(client, body)] * number,
            "ours": [_asking(engine, evaluation(document))] * number,
        }
        found = await _in_turns(asking, seconds)
    for each in raw:
        each.close()
    ours = found.pop("ours")
    rows = []
    for other, theirs in found.items():
        rows.append(Row(what=what, figure="per second", ours=ours.per_second, other=theirs.per_second, alternative=other))
        rows.append(Row(what=what, figure="p99 ms", ours=ours.p99_ms, other=theirs.p99_ms, alternative=other, better="lower"))
    return rows


def _asking(engine: OpaLibrary, asked: Evaluation) -> Asker:
    async def ask() -> None:
        answer = await engine.evaluate(asked)
        assert answer.keys() >= LOOKED_AT

    return ask


def _application(client: aiohttp.ClientSession, body: bytes) -> Asker:
    async def ask() -> None:
        async with client.post(PATH, data=body) as answer:
            assert (await answer.json())["result"].keys() >= LOOKED_AT

    return ask


async def _in_turns(asking: dict[str, list[Asker]], seconds: float) -> dict[str, _Measured]:
    waits: dict[str, list[float]] = {what: [] for what in asking}
    rates: dict[str, list[float]] = {what: [] for what in asking}
    for askers in asking.values():
        await asyncio.gather(*(ask() for ask in askers))
    for _ in range(ROUNDS):
        for what, askers in asking.items():
            found, elapsed = await _round(askers, seconds / ROUNDS)
            waits[what] += found
            rates[what].append(len(found) / elapsed)
    return {
        what: _Measured(per_second=statistics.median(rates[what]), p99_ms=1000 * sorted(waits[what])[len(waits[what]) * 99 // 100])
        for what in asking
    }


async def _round(askers: list[Asker], seconds: float) -> tuple[list[float], float]:
    """How long each answer took, and how long all of it."""
    waits: list[float] = []
    began = time.perf_counter()

    async def keep_asking(ask: Asker) -> None:
        while (started := time.perf_counter()) < began + seconds:
            await ask()
            waits.append(time.perf_counter() - started)

    await asyncio.gather(*(keep_asking(ask) for ask in askers))
    return waits, time.perf_counter() - began


class RawClient:
    """One kept-alive connection, and no more HTTP than this server speaks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    @classmethod
    async def connect(cls, address: str, body: bytes) -> RawClient:
        """A new connection."""
        return cls(*await asyncio.open_unix_connection(address), body)

    async def ask(self) -> None:
        """Send, and read the whole answer."""
        self._writer.write(b"POST %b HTTP/1.1\r\nHost: opa\r\nContent-Length: %d\r\n\r\n%b" % (PATH.encode(), len(self._body), self._body))
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert json.loads(await self._reader.readexactly(length))["result"].keys() >= LOOKED_AT

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
