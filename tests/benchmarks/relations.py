"""Relationship checks in process beside a real OpenFGA: one check and a batch of three, at 5,000 and 100,000 tuples.

In process: as the gateway asks, over tuples in a database (SQLite), the index kept current by its sequence. The server is asked by
the SDK and by raw HTTP, eight at once, its caches off, since a gate never answers from one. It keeps 5,000 tuples in memory, and
100,000 in SQLite: its memory looks through all of them for every one that is written.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from gateway.domain.audit import AuditEvent
from gateway.domain.relations import TupleEdit
from gateway.storage import Database
from gateway.storage.followed_tuples import FollowedTuples
from gateway.storage.migrations import migrate
from gateway.storage.relation_documents import tuple_document
from gateway.storage.sql.relation_store import SqlRelationStore
from policies.model import Question
from policies.relations import Relations, RelationshipTuple
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from policies.relations.openfga import OpenFgaRelations
from policies.relations.starter import starter_text
from policies.relations.stored import StoredRelations
from tests.benchmarks.rows import Row
from tests.servers.need import need
from tests.servers.openfga import OpenFga, Store, running_openfga

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS = 1.5
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Answers to whole batches: per second, and milliseconds."""

    rate: float
    p50: float
    p99: float


def world(size: int) -> list[RelationshipTuple]:
    """Teams of twenty, and repositories that teams own and write: about so many tuples."""
    teams = size // 25
    found = [_tuple(f"user:work/{n}", "member", f"team:{n // 20}") for n in range(teams * 20)]
    for n in range(teams * 2):
        found.append(_tuple(f"team:{n % teams}#member", "owner", f"repository:work/{n}"))
        found.append(_tuple(f"team:{(n * 7 + 1) % teams}#member", "writer", f"repository:work/{n}"))
    return found


def _tuple(user: str, relation: str, object: str) -> RelationshipTuple:
    return RelationshipTuple(user=user, relation=relation, object=object)


def batches(size: int, each: int) -> list[list[Question]]:
    """Some are related, some are not; never the same user twice in a row."""
    teams = size // 25
    return [
        [
            Question(
                user=f"user:work/{(n * 37 + k * 11) % (teams * 20)}", relation=relation, object=f"repository:work/{n * 13 % (teams * 2)}"
            )
            for k, relation in enumerate(("owner", "writer", "reader")[:each])
        ]
        for n in range(2000)
    ]


async def loop(ask: Callable[[Sequence[Question]], Awaitable[object]], asked: list[list[Question]], at_once: int) -> Figures:
    """A closed loop for some seconds, after a warm-up."""
    for batch in asked[:20]:
        await ask(batch)
    latencies: list[float] = []
    source = itertools.cycle(asked)
    end = time.perf_counter() + SECONDS

    async def one() -> None:
        while (started := time.perf_counter()) < end:
            await ask(next(source))
            latencies.append((time.perf_counter() - started) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(at_once)))
    elapsed = time.perf_counter() - began
    percentiles = statistics.quantiles(latencies, n=100)
    return Figures(rate=len(latencies) / elapsed, p50=percentiles[49], p99=percentiles[98])


@asynccontextmanager
async def in_process(tuples: Sequence[RelationshipTuple]) -> AsyncIterator[Relations]:
    """As `relations: local` answers."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/admit.db")
        try:
            migrate(database)
            store = SqlRelationStore(database)
            event = AuditEvent(at=NOON, who="bench", what="relations.tuples", about="relations")
            for start in range(0, len(tuples), 10_000):
                edit = TupleEdit(source="person:bench", at=NOON, model=0, writes=tuple(tuples[start : start + 10_000]))
                await store.edit(edit, lambda effect: (event, []))
            yield StoredRelations(FollowedTuples(store))
        finally:
            await database.close()


@contextmanager
def serving(size: int) -> Iterator[OpenFga]:
    """An OpenFGA that can take so many tuples."""
    if size <= 10_000:
        with running_openfga() as openfga:
            yield openfga
        return
    with tempfile.TemporaryDirectory() as folder:
        kept = ("--datastore-engine", "sqlite", "--datastore-uri", f"file:{folder}/openfga.db")
        subprocess.run([str(need("openfga")), "migrate", *kept], check=True, capture_output=True, timeout=120)
        with running_openfga(*kept) as openfga:
            yield openfga


def raw(client: httpx.AsyncClient, store: Store) -> Callable[[Sequence[Question]], Awaitable[object]]:
    """The server's own API: Check for one question, BatchCheck for several."""

    async def ask(questions: Sequence[Question]) -> object:
        along: dict[str, Any] = {"authorization_model_id": store.model_id, "consistency": "HIGHER_CONSISTENCY"}
        keys = [{"user": q.user, "relation": q.relation, "object": q.object} for q in questions]
        context = {"current_time": "2026-11-24T12:00:00Z"}
        if len(keys) == 1:
            path, body = "check", {"tuple_key": keys[0], "context": context, **along}
        else:
            checks = [{"tuple_key": key, "context": context, "correlation_id": str(number)} for number, key in enumerate(keys)]
            path, body = "batch-check", {"checks": checks, **along}
        answer = await client.post(f"/stores/{store.id}/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    return ask


def asking(relations: Relations) -> Callable[[Sequence[Question]], Awaitable[object]]:
    return lambda questions: relations.answers(questions, at=NOON)


async def measure() -> list[Row]:
    """Ours against the server's, then ours at 100,000 tuples against ours at 5,000."""
    rows: list[Row] = []
    ours: dict[tuple[int, int], Figures] = {}
    for size in (5_000, 100_000):
        tuples = world(size)
        async with in_process(tuples) as relations:
            for each in (1, 3):
                ours[size, each] = await loop(asking(relations), batches(size, each), 1)
        with serving(size) as openfga:
            store = openfga.store(model_to_json(parse_model(starter_text())))
            await asyncio.to_thread(store.write, [tuple_document(one) for one in tuples])
            rows += await _beside(size, ours, openfga.url, store)
    for each, what in ((1, "check"), (3, "batch of 3")):
        few, many = ours[5_000, each], ours[100_000, each]
        rows.append(Row(what=f"{what}, in process", figure="per s", ours=many.rate, other=few.rate, alternative="5,000 tuples for 100,000"))
    return rows


async def _beside(size: int, ours: dict[tuple[int, int], Figures], url: str, store: Store) -> list[Row]:
    rows: list[Row] = []
    sdk = OpenFgaRelations(api_url=url, store_id=store.id, model_id=store.model_id, deadline=60)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for each, name in ((1, "check"), (3, "batch of 3")):
            own, asked = ours[size, each], batches(size, each)
            what = f"{name}, {size:,} tuples"
            for alternative, ask in (("OpenFGA by raw HTTP", raw(client, store)), ("OpenFGA by the gateway's adapter (SDK)", asking(sdk))):
                theirs = await loop(ask, asked, AT_ONCE)
                rows.append(Row(what=what, figure="per s", ours=own.rate, other=theirs.rate, alternative=alternative))
                rows.append(
                    Row(what=what, figure="p50 µs", ours=own.p50 * 1000, other=theirs.p50 * 1000, alternative=alternative, better="lower")
                )
                rows.append(
                    Row(what=what, figure="p99 µs", ours=own.p99 * 1000, other=theirs.p99 * 1000, alternative=alternative, better="lower")
                )
    await sdk.close()
    return rows
