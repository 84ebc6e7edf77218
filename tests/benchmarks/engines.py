"""The engine room against a raw OPA server: evaluations per second and p99, same policy, same inputs, same process asking.

The server is asked in two ways, both over kept-alive connections to a unix socket: with httpx, as
most applications do, and with an HTTP client written for this one purpose, the least that can be
done: head and body joined, the answer's length found, its JSON parsed. The engine does all its work: wrapping, queueing,
watching, parsing. They take turns in short rounds, so that a busy machine is as busy for each.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from policies.bundles.model import Bundle
from policies.canonical import canonical, digest
from policies.engines import Evaluation, PolicyQuery
from policies.engines.opa_library import OpaLibrary
from tests.benchmarks.rows import Row
from tests.servers.need import need
from tests.servers.opa import opa_server

POLICY = """package bench.policy

deny contains sprintf("%s is too large", [f.path]) if {
	some f in input.change.files
	f.additions > 1000
}

deny contains "title is not conventional" if not regex.match(`^(feat|fix|docs)(\\([a-z]+\\))?: .+`, input.change.title)

deny contains "not enough approvals" if count(approvers) < 1

deny contains sprintf("check %s has not passed", [name]) if some name in {"build", "test"} - passed

deny contains "infrastructure needs an owner" if {
	some f in input.change.files
	startswith(f.path, "infra/")
	not "infra-reviewed" in input.change.labels
}

warn contains "no description" if count(input.change.body) < 20

warn contains "many files" if count(input.change.files) > 50

warn contains "draft" if input.change.draft

approvers contains r.user.login if {
	some r in input.change.reviews
	r.state == "approved"
	r.user.login != input.change.author.login
}

passed contains c.name if {
	some c in input.change.checks
	c.conclusion == "success"
}
"""
RULES = ("deny", "warn")
PATH = "/v1/data/bench/policy?strict-builtin-errors=true"
SECONDS = 3.0
ROUNDS = 7


Asker = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """Median of the rounds' rates, and p99 of all answers in milliseconds."""

    per_second: float
    p99_ms: float


def document(files: int) -> bytes:
    """A change with so many files: 8 are about 1.4 kB, 3,000 about 400 kB."""
    ana = {"login": "ana", "kind": "person", "ref": "user:work/1"}
    change = {
        "title": "feat(cart): count things",
        "body": "closes the ticket",
        "author": ana,
        "draft": False,
        "labels": ["bug", "needs-review"],
        "files": [
            {"path": f"src/module_{n % 40}/file_{n}.py", "status": "modified", "additions": n % 90, "deletions": n % 7}
            for n in range(files)
        ],
        "reviews": [{"user": {"login": "bob", "kind": "person"}, "state": "approved"}],
        "checks": [{"name": name, "conclusion": "success"} for name in ("build", "test")],
    }
    return json.dumps({"version": 1, "action": "merge", "change": change}).encode()


INPUTS = {"1.4 kB": document(8), "400 kB": document(4000)}


async def measure(at_once: tuple[int, ...] = (1, 8, 32), seconds: float = SECONDS) -> list[Row]:
    """Two rows, rate and p99, for each input, number at once and way to ask the server."""
    rows: list[Row] = []
    modules = {"policy.rego": POLICY}
    with opa_server(need("opa"), modules, {}, {"GOGC": "400"}) as address:
        engine, bundle = OpaLibrary(), _bundle(modules)
        for size, content in INPUTS.items():
            for number in at_once:
                rows += await _compared(f"evaluate {size}, {number} at once", engine, bundle, address, content, number, seconds)
        await engine.close()
    return rows


async def _compared(what: str, engine: OpaLibrary, bundle: Bundle, address: str, content: bytes, number: int, seconds: float) -> list[Row]:
    raw = [await RawClient.connect(address, content) for _ in range(number)]
    limits = httpx.Limits(max_connections=number, max_keepalive_connections=number)
    async with httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=address, limits=limits), base_url="http://opa", timeout=60
    ) as client:
        asking = {
            "ours": [_asking(engine, bundle, content)] * number,
            "OPA server asked with httpx": [_application(client, content)] * number,
            "OPA server, own HTTP client": [each.ask for each in raw],
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


def _asking(engine: OpaLibrary, bundle: Bundle, content: bytes) -> Asker:
    query = PolicyQuery(package="bench.policy", rules=RULES, parameters={"minimum": 1})
    evaluation = Evaluation(bundle=bundle, queries=(query,), input=content, time=datetime(2026, 1, 1, tzinfo=UTC))

    async def ask() -> None:
        answer = await engine.evaluate(evaluation)
        assert "deny" in answer["bench.policy"]

    return ask


def _application(client: httpx.AsyncClient, content: bytes) -> Asker:
    body = b'{"input":%b}' % content

    async def ask() -> None:
        answer = await client.post(PATH, content=body)
        assert "deny" in answer.json()["result"]

    return ask


def _bundle(modules: dict[str, str]) -> Bundle:
    name = digest("bundle", canonical(modules))
    return Bundle(name="bench", revision="1", digest=name, policies=(), modules=modules, tests={}, data={}, files={})


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

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> None:
        self._reader, self._writer, self._content = reader, writer, content

    @classmethod
    async def connect(cls, address: str, content: bytes) -> RawClient:
        """A new connection."""
        return cls(*await asyncio.open_unix_connection(address), content)

    async def ask(self) -> None:
        """Send, and read the whole answer."""
        body = b'{"input":%b}' % self._content
        self._writer.write(b"POST %b HTTP/1.1\r\nHost: opa\r\nContent-Length: %d\r\n\r\n%b" % (PATH.encode(), len(body), body))
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert "deny" in json.loads(await self._reader.readexactly(length))["result"]

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
