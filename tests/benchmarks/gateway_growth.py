"""What a million decisions cost: the same gateway on a new database and on one that holds them, in one run.

The million is one recorded decision, copied with ids, times and changes of its own and its place in the chain: what the
indexes have to carry is all there, what each document says is not measured here.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx

from tests.benchmarks import relations_beside as beside
from tests.benchmarks.gateway import a_document, our_gateway
from tests.benchmarks.load import closed_loop
from tests.benchmarks.rows import Row
from tests.e2e.process import GatewayProcess

DECISIONS = 1_000_000
_COUNT = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {DECISIONS})"
_COPIES = f"""
INSERT INTO decision (id, at, connection, repository_key, change_key, number, outcome, facts, facts_digest, substance, document)
{_COUNT}
SELECT 'copy-' || i, at - {DECISIONS} + i, connection, repository_key, printf('%064d', i % 20000), i % 20000, outcome, facts,
       facts_digest, substance, document
FROM n, (SELECT * FROM decision LIMIT 1)
"""
_SEALS = f"""
INSERT INTO seal (position, kind, ref, content, hash)
{_COUNT}
SELECT i, 'decision', 'copy-' || i, printf('%064d', i), printf('%064d', i) FROM n
"""


async def measure() -> list[Row]:
    """Start-up, admissions, lists and the front page: the two gateways by turns, so that whatever else the machine does meets both."""
    with tempfile.TemporaryDirectory(prefix="admit-growth-") as name, ExitStack() as stack:
        relations = {"file": str(beside.write_store_file(Path(name)))}
        small, large = (stack.enter_context(our_gateway(Path(name) / size, relations)) for size in ("small", "large"))
        for gateway in (small, large):
            await _admitted(gateway, 50)
        large.stop()
        _fill(large.folder / "admit.db")
        large.start()
        taken: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what, _, _ in _MEASURED}
        for _ in range(_TURNS):
            for side, gateway in enumerate((small, large)):
                for what, figure in (await _figures(gateway)).items():
                    taken[what][side].append(figure)
    return [
        Row(
            what=f"{what}, {DECISIONS:,} decisions",
            figure=figure,
            ours=statistics.median(taken[what][1]),
            other=statistics.median(taken[what][0]),
            alternative="an empty database",
            better=way,
        )
        for what, figure, way in _MEASURED
    ]


_TURNS = 7
_MEASURED = (
    ("start-up", "s", "lower"),
    ("POST /v1/admissions, 8 at once", "requests/s", "higher"),
    ("GET /v1/decisions", "p50 ms", "lower"),
    ("GET /v1/decisions of one change", "p50 ms", "lower"),
    ("front page", "p50 ms", "lower"),
)


async def _figures(gateway: GatewayProcess) -> dict[str, float]:
    gateway.stop()
    began = time.perf_counter()
    gateway.start()
    started = time.perf_counter() - began
    await _admitted(gateway, 100)
    return {
        "start-up": started,
        "POST /v1/admissions, 8 at once": await _admitted(gateway, 500),
        "GET /v1/decisions": await _p50(gateway, "/v1/decisions?limit=50"),
        "GET /v1/decisions of one change": await _p50(gateway, "/v1/decisions?limit=50&connection=work&repository=acme/app&number=7"),
        "front page": await _p50(gateway, "/"),
    }


def _fill(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.execute("DELETE FROM seal")
        database.execute(_COPIES)
        database.execute(_SEALS)
        database.execute("UPDATE chain_head SET position = ?, hash = ?", (DECISIONS, f"{DECISIONS:064d}"))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _admitted(gateway: GatewayProcess, requests: int) -> float:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {gateway.token}"}
    url = f"{gateway.url}/v1/admissions"
    return (await closed_loop(url, lambda n: (headers, a_document(n)), at_once=8, requests=requests, status=200)).rate


async def _p50(gateway: GatewayProcess, path: str, *, times: int = 60) -> float:
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.token}"}, timeout=60) as client:
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            answer = await client.get(path)
            taken.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(0)
    return sorted(taken)[times // 2]
