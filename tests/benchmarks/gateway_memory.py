"""What the gateway's memory does under a mixed load that goes on: admissions, deliveries, pages and lists, at a low rate.

ADMIT_BENCH_MINUTES says for how long (3 where it does not; an hour is what is promised), ADMIT_BENCH_PER_SECOND at what rate
(15). Every minute is told on standard error as it passes; the row compares the end with the middle, when every cache has long
been filled.

Half of the deliveries are about changes on a forge that does not answer, so that judgements fail, are tried again, and the
events of each change meet in one run.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.benchmarks import relations_beside as beside
from tests.benchmarks.gateway import SECRET, a_document, our_gateway
from tests.benchmarks.rows import Row
from tests.e2e.process import GatewayProcess

_MINUTES = int(os.environ.get("ADMIT_BENCH_MINUTES", "3"))
_PER_SECOND = int(os.environ.get("ADMIT_BENCH_PER_SECOND", "15"))
_CHANGES = 40
_READ = ("/", "/changes", "/v1/decisions?limit=50", "/metrics", "/v1/workflows")


async def measure() -> list[Row]:
    """The gateway's own process at the middle and at the end; its engine's workers likewise."""
    with tempfile.TemporaryDirectory(prefix="admit-memory-") as name:
        folder = Path(name)
        with our_gateway(folder / "gateway", {"file": str(beside.write_store_file(folder))}) as gateway:
            seen = await _watched(gateway)
    middle = len(seen) // 2
    rows = {"figure": "MB", "better": "lower", "alternative": f"after {middle + 1} minutes"}
    what = f"memory after {len(seen)} minutes of mixed load"
    return [
        Row(what=f"{what}, gateway", ours=seen[-1][0], other=seen[middle][0], **rows),
        Row(what=f"{what}, engine", ours=seen[-1][1], other=seen[middle][1], **rows),
    ]


async def _watched(gateway: GatewayProcess) -> list[tuple[float, float]]:
    """Megabytes of the gateway and of its children, at the end of each minute."""
    seen: list[tuple[float, float]] = []
    numbers = itertools.count()
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.token}"}, timeout=60) as client:
        for minute in range(_MINUTES):
            until = time.monotonic() + 60
            while time.monotonic() < until:
                began = time.monotonic()
                await asyncio.gather(*(_one(client, next(numbers)) for _ in range(_PER_SECOND)))
                await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))
            seen.append(_megabytes(gateway.pid))
            slope = _slope([mine for mine, _ in seen[len(seen) // 2 :]])
            print(f"minute {minute + 1}: {seen[-1][0]:.1f} MB, engine {seen[-1][1]:.1f} MB, {slope:+.2f} MB a minute", file=sys.stderr)
    print(f"requests: {next(numbers)}", file=sys.stderr)
    return seen


async def _one(client: httpx.AsyncClient, number: int) -> None:
    match number % 3:
        case 0:
            answer = await client.post("/v1/admissions", content=a_document(number), headers={"Content-Type": "application/json"})
        case 1:
            headers, body = _event(number)
            answer = await client.post("/webhooks/work", content=body, headers=headers)
        case _:
            answer = await client.get(_READ[number // 3 % len(_READ)])
    if answer.status_code not in {200, 202, 503}:  # a busy machine's database may be asked in vain
        raise AssertionError(f"expected 200, 202 or 503 from {answer.url}, got {answer.status_code}: {answer.text[:500]}")


def _event(number: int) -> tuple[dict[str, str], bytes]:
    """A push, or something about one of a few changes."""
    repository = {"id": 12, "full_name": "acme/app"}
    pushed = {"ref": f"refs/heads/branch-{number % 50}", "after": "a" * 40, "repository": repository}
    pull = {"number": number % _CHANGES + 1, "head": {"sha": "a" * 40}, "updated_at": "2026-03-02T10:00:00Z"}
    changed = {"action": "edited", "pull_request": pull, "repository": repository}
    kind, payload = ("push", pushed) if number % 2 else ("pull_request", changed)
    body = json.dumps({**payload, "number": number, "pad": "x" * 5_000}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Gitea-Delivery": str(number), "X-Gitea-Event": kind, "X-Gitea-Event-Type": kind, "X-Gitea-Signature": signature}
    return {"Content-Type": "application/json", **headers}, body


def _megabytes(pid: int) -> tuple[float, float]:
    return _resident(pid), sum(_resident(child) for child in _children(pid))


def _resident(pid: int) -> float:
    """VmRSS (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html), which is in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def _slope(values: list[float]) -> float:
    """Of the line that fits them best, for each step."""
    return statistics.linear_regression(range(len(values)), values).slope if len(values) > 1 else 0.0
