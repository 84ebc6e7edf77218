"""The engine room against a raw OPA server: evaluations per second and p99, same policy, same inputs, same process asking.

Two servers are asked, each with aiohttp, the fastest of the clients that applications use, over kept-alive connections to a
unix socket: one as it comes, and one whose memory Go collects as seldom as our own workers have it, which is the harder to
beat. Each has a row of its own. The engine does all its work: wrapping, queueing, watching, parsing. They take turns in short
rounds, so that a busy machine is as busy for each.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

import aiohttp

from policies.engines import Evaluation
from policies.engines.launch import collector
from policies.engines.opa_library import OpaLibrary
from tests.benchmarks.engines_rules import evaluation, inputs, queries, served_body, served_modules
from tests.benchmarks.rows import Row
from tests.servers.need import need
from tests.servers.opa import opa_server

PATH = "/v1/data/bench/answer?strict-builtin-errors=true"
SERVERS: Mapping[str, Mapping[str, str]] = {"OPA server as it comes": {}, "OPA server, memory as our workers": collector()}
"""What each is called, and the environment it is started in."""
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
    """Two rows, rate and p99, for each input, number at once and server."""
    rows: list[Row] = []
    with ExitStack() as stack:
        addresses = {
            name: stack.enter_context(opa_server(need("opa"), served_modules(), {}, environment)) for name, environment in SERVERS.items()
        }
        engine = OpaLibrary()
        for size, document in inputs().items():
            for number in at_once:
                rows += await _compared(f"evaluate {size}, {number} at once", engine, addresses, document, number, seconds)
        await engine.close()
    return rows


async def _compared(what: str, engine: OpaLibrary, addresses: Mapping[str, str], document: bytes, number: int, seconds: float) -> list[Row]:
    asking = {"ours": [_asking(engine, evaluation(document))] * number}
    async with AsyncExitStack() as stack:
        for name, address in addresses.items():
            connector = aiohttp.UnixConnector(address, limit=number)
            client = await stack.enter_async_context(aiohttp.ClientSession("http://opa", connector=connector))
            asking[name] = [_application(client, served_body(document))] * number
        found = await _in_turns(asking, seconds)
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
