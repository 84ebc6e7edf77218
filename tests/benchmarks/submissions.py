"""Workflow submissions: what the gateway adds before a run is visible on Temporal, and how many a second it takes.

Each is judged by Rego and three relationships and durably recorded; then the durable core starts its run. Beside it: the
same run started by Temporal's SDK alone; and for the rate the hand-written service, which judges and records in one commit
and starts nothing. Taken is answered with 202; carried to the end, the run of every one of them has been watched to its end.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.benchmarks import relations_beside as beside
from tests.benchmarks.gateway import a_document, by_hand, compared, opa_server
from tests.benchmarks.load import Load, closed_loop
from tests.benchmarks.rows import Row
from tests.e2e.process import GatewayProcess, write_bundle
from tests.servers.temporal import running_temporal

RUNS = 200
PATIENCE = 300.0
"""Seconds until all that were taken have been carried to the end."""
MANIFEST = "name: bench\npolicies:\n  - package: bench\n    match: {action: submit}\n"
RULES = """\
package bench

import data.admit

place := "repository:work/12"

questions contains admit.question("user:work/7", "writer", place)

questions contains admit.question("user:work/7", "owner", place)

questions contains admit.question("user:work/8", "owner", place)

deny contains "no version" if not input.workflow.input.version
deny contains "not to the moon" if input.workflow.input.place == "moon"
deny contains "nobody may write" if not admit.related("user:work/7", "writer", place)
deny contains "nobody owns it" if not owned

owned if admit.related("user:work/7", "owner", place)

owned if admit.related("user:work/8", "owner", place)
"""


@contextmanager
def our_gateway(folder: Path, targets: list[dict[str, Any]]) -> Iterator[GatewayProcess]:
    """`admit serve` with these targets, the rules and the relationships."""
    folder.mkdir()
    settings = {
        "bundles": [str(write_bundle(folder / "bundle", {"bundle.yaml": MANIFEST, "bench.rego": RULES}))],
        "relations": {"file": str(beside.write_store_file(folder))},
        "targets": targets,
        "workflows": [{"name": "deploy", "targets": [target["name"] for target in targets]}],
    }
    with GatewayProcess(folder, **settings) as process:
        yield process


async def measure() -> list[Row]:
    """One after the other, each pair in the same run."""
    with tempfile.TemporaryDirectory(prefix="admit-bench-") as name:
        folder = Path(name)
        return [*await _added(folder / "temporal"), *await _rates(folder)]


# --- until the run is visible ----------------------------------------------------------------


async def _added(folder: Path) -> list[Row]:
    with running_temporal() as address:
        target = {"name": "prod", "orchestrator": "temporal", "address": address, "task_queue": "bench", "workflows": ["deploy"]}
        client = await Client.connect(address)
        with our_gateway(folder, [target]) as gateway:
            headers = {"Authorization": f"Bearer {gateway.token}"}
            async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60, trust_env=False) as http:
                ours, direct = [], []
                async for mine, theirs in _pairs(http, client):
                    ours.append(mine)
                    direct.append(theirs)
    what, alternative = "submitted → its run visible on Temporal", "the SDK's start_workflow alone"
    rows = []
    for figure, place in (("p50 ms", 49), ("p99 ms", 98)):
        mine, theirs = statistics.quantiles(ours, n=100)[place], statistics.quantiles(direct, n=100)[place]
        print(f"{what}: adds {mine - theirs:.1f} ms at {figure}", flush=True)
        rows.append(Row(what=what, figure=figure, ours=mine, other=theirs, alternative=alternative, better="lower"))
    return rows


async def _pairs(http: httpx.AsyncClient, client: Client) -> AsyncIterator[tuple[float, float]]:
    """Milliseconds of one by the gateway and one by the SDK, in turns; the first twenty warm up."""
    for number in range(RUNS + 20):
        started = time.perf_counter()
        answer = await http.post("/v1/submissions", json=_submission(number))
        assert answer.status_code == 202, answer.text
        await _visible(client, answer.json()["decision"]["id"])
        mine = time.perf_counter() - started
        started = time.perf_counter()
        id = uuid.uuid4().hex
        await client.start_workflow("deploy", _submission(number)["input"], id=id, task_queue="bench")
        await _visible(client, id)
        theirs = time.perf_counter() - started
        if number >= 20:
            yield mine * 1000, theirs * 1000


async def _visible(client: Client, id: str) -> None:
    """Asked without a pause: an answer takes about a millisecond."""
    while True:
        try:
            await client.get_workflow_handle(id).describe()
            return
        except RPCError as problem:
            if problem.status is not RPCStatusCode.NOT_FOUND:
                raise


# --- how many a second -----------------------------------------------------------------------


async def _rates(folder: Path) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        opa, openfga = stack.enter_context(opa_server(folder)), stack.enter_context(beside.served(beside.CACHING))
        other = stack.enter_context(by_hand(folder, opa, openfga, "HIGHER_CONSISTENCY"))
        ours = stack.enter_context(our_gateway(folder / "memory", [{"name": "here", "orchestrator": "memory", "workflows": ["deploy"]}]))
        alternative = "by hand, OpenFGA, nothing started"
        for at_once, requests in ((1, 200), (8, 800), (32, 800)):
            started = time.perf_counter()
            mine = await _taken(ours, at_once, requests)
            ended = requests / (await _all_ended(ours, requests) - started)
            theirs = await _judged_by_hand(other, at_once, requests)
            what = f"submissions, {at_once} at once"
            rows += compared(f"{what}: taken", mine, theirs, alternative)
            carried = f"{what}: carried to the end"
            rows.append(Row(what=carried, figure="submissions/s", ours=ended, other=theirs.rate, alternative=alternative))
    return rows


async def _taken(gateway: GatewayProcess, at_once: int, requests: int) -> Load:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {gateway.token}"}
    url = f"{gateway.url}/v1/submissions"
    return await closed_loop(url, lambda n: (headers, json.dumps(_submission(n)).encode()), at_once=at_once, requests=requests, status=202)


async def _judged_by_hand(url: str, at_once: int, requests: int) -> Load:
    headers: Mapping[str, str] = {"Content-Type": "application/json"}
    await closed_loop(f"{url}/judge", lambda n: (headers, a_document(n)), at_once=at_once, requests=50, status=200)
    return await closed_loop(f"{url}/judge", lambda n: (headers, a_document(n)), at_once=at_once, requests=requests, status=200)


async def _all_ended(gateway: GatewayProcess, requests: int) -> float:
    """When none is on its way any more: by the clock of `perf_counter`."""
    headers = {"Authorization": f"Bearer {gateway.token}"}
    until = time.perf_counter() + PATIENCE
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60, trust_env=False) as http:
        while time.perf_counter() < until:
            going = [await http.get("/v1/submissions", params={"state": state, "limit": 1}) for state in ("admitted", "running")]
            if not any(answer.json()["submissions"] for answer in going):
                return time.perf_counter()
    raise AssertionError(f"{requests} submissions were not carried to the end within {PATIENCE:.0f} s")


def _submission(number: int) -> dict[str, Any]:
    """About 300 bytes."""
    return {"workflow": "deploy", "input": {"version": f"1.{number}", "place": "earth", "pad": "x" * 200}, "labels": {"team": "a"}}
