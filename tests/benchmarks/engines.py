"""Evaluations per second and p99 of the engine room against a raw OPA server: same policy, same inputs, same process asking.

The raw server is asked as cheaply as Python can: prepared HTTP requests over kept-alive unix
sockets, answers not parsed. The engine does all its work: wrapping, queueing, watching, parsing.
Run alone: `python -m tests.benchmarks.engines`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from policies.bundles.model import Bundle
from policies.canonical import canonical, digest
from policies.engines import Evaluation, PolicyQuery
from policies.engines.opa_library import OpaLibrary
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
SECONDS = 3.0
ROUNDS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement: how many at once, evaluations per second, and p99 in milliseconds."""

    what: str
    at_once: int
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
    """Rows in pairs, raw server first. The two take turns in short rounds, so that a busy machine is as busy for both."""
    rows = []
    modules = {"policy.rego": POLICY}
    with opa_server(need("opa"), modules, {}, {"GOGC": "400"}) as address:
        engine = OpaLibrary(workers=1)
        bundle = _bundle(modules)
        for size, content in INPUTS.items():
            for number in at_once:
                raw = [await RawClient.connect(address, content) for _ in range(number)]
                asking = {
                    f"raw OPA server, {size}": [client.ask for client in raw],
                    f"engine room, {size}": [_asking(engine, bundle, content)] * number,
                }
                rows += await _in_turns(asking, seconds)
                for client in raw:
                    client.close()
        await engine.close()
    return rows


def _bundle(modules: dict[str, str]) -> Bundle:
    name = digest("bundle", canonical(modules))
    return Bundle(name="bench", revision="1", digest=name, policies=(), modules=modules, tests={}, data={}, files={})


async def _in_turns(asking: dict[str, list[Callable[[], Awaitable[None]]]], seconds: float) -> list[Row]:
    waits: dict[str, list[float]] = {what: [] for what in asking}
    rates: dict[str, list[float]] = {what: [] for what in asking}
    for askers in asking.values():
        await asyncio.gather(*(ask() for ask in askers))
    for _ in range(ROUNDS):
        for what, askers in asking.items():
            found, elapsed = await _round(askers, seconds / ROUNDS)
            waits[what] += found
            rates[what].append(len(found) / elapsed)
    return [
        Row(
            what=what,
            at_once=len(askers),
            per_second=statistics.median(rates[what]),
            p99_ms=1000 * sorted(waits[what])[len(waits[what]) * 99 // 100],
        )
        for what, askers in asking.items()
    ]


def _asking(engine: OpaLibrary, bundle: Bundle, content: bytes) -> Callable[[], Awaitable[None]]:
    query = PolicyQuery(package="bench.policy", rules=RULES, parameters={"minimum": 1})
    evaluation = Evaluation(bundle=bundle, queries=(query,), input=content, time=datetime(2026, 1, 1, tzinfo=UTC))

    async def ask() -> None:
        answer = await engine.evaluate(evaluation)
        assert "deny" in answer["bench.policy"]

    return ask


async def _round(askers: list[Callable[[], Awaitable[None]]], seconds: float) -> tuple[list[float], float]:
    """How long each answer took, and how long all of it."""
    waits: list[float] = []
    began = time.perf_counter()

    async def keep_asking(ask: Callable[[], Awaitable[None]]) -> None:
        while (started := time.perf_counter()) < began + seconds:
            await ask()
            waits.append(time.perf_counter() - started)

    await asyncio.gather(*(keep_asking(ask) for ask in askers))
    return waits, time.perf_counter() - began


class RawClient:
    """One kept-alive connection that sends the same request again and again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> None:
        self._reader, self._writer = reader, writer
        body = b'{"input":%b}' % content
        path = "/v1/data/bench/policy?strict-builtin-errors=true"
        head = f"POST {path} HTTP/1.1\r\nHost: opa\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body

    @classmethod
    async def connect(cls, address: str, content: bytes) -> RawClient:
        """A new connection."""
        return cls(*await asyncio.open_unix_connection(address), content)

    async def ask(self) -> None:
        """Send, and read the whole answer."""
        self._writer.write(self._request)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert b'"deny"' in await self._reader.readexactly(length)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def main() -> None:
    """Print the rows, and the engine's as ratios of the raw server's."""
    rows = asyncio.run(measure())
    for raw, ours in zip(rows[::2], rows[1::2], strict=True):
        for row in (raw, ours):
            print(f"{row.what:24} {row.at_once:3} at once {row.per_second:8.0f}/s  p99 {row.p99_ms:7.2f} ms")
        print(f"{'':24} rate {ours.per_second / raw.per_second:.2f} x, p99 {ours.p99_ms / raw.p99_ms:.2f} x")


if __name__ == "__main__":
    main()
