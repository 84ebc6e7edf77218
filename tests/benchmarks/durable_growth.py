"""What a database that has seen much costs the durable core: a new workflow's latency, and a long history's recovery."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.durable import HistoryEvent
from gateway.durable.execution import Execution
from gateway.durable.sql.claims import load
from gateway.durable.sql.recording import insert_events
from gateway.durable.sql.tables import events, runs
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.benchmarks.rows import Row

ROUNDS = 5
FINISHED, PARKED = 100_000, 10_000
LONG = 5000
"""Activities of the long history: two events each."""


async def growth(folder: Path, one_at_a_time: Callable[[Path, int], dict[str, float] | None]) -> list[Row]:
    """A new workflow in a database that has seen much, beside one in an empty database, in turn."""
    full = folder / "full.db"
    await asyncio.to_thread(fill, full)
    loaded, empty = [], []
    for turn in range(ROUNDS):
        for figures, path in ((loaded, full), (empty, folder / f"empty{turn}.db")):
            found = await asyncio.to_thread(one_at_a_time, path, 100)
            assert found is not None
            figures.append(found["p50_ms"])
    return [
        Row(
            what=f"one workflow beside {FINISHED:,} finished, {PARKED:,} parked",
            figure="p50 ms",
            ours=statistics.median(loaded),
            other=statistics.median(empty),
            alternative="the same in an empty database; at most 1.2 × was asked for",
            better="lower",
        )
    ]


async def recovery() -> list[Row]:
    """A history of ten thousand events as a process takes it up: read from the database, decoded and folded."""

    async def long(ctx, input):
        for number in range(LONG):
            await ctx.activity("echo", number)

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/long.db")
        try:
            migrate(database)
            with database.transaction() as connection:
                insert_events(connection, (("run", event) for event in _long_history()))
                connection.execute(runs.insert(), [{**a_row(0, 1), "run_id": "run"}])
            took = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                [claimed] = await database.read(lambda connection: load(connection, [("run", "run", "long")]))
                Execution(long, claimed.events).close()
                took.append(1000 * (time.perf_counter() - begun))
        finally:
            await database.close()
    what = f"recovering a history of {len(claimed.events):,} events"
    return [Row(what=what, figure="ms", ours=statistics.median(took), other=200.0, alternative="what was asked for", better="lower")]


def _long_history() -> list[HistoryEvent]:
    history = [_an_event(1, "WorkflowStarted", {"workflow_id": "w", "run_id": "01957b1c-0000-7000-8000-000000000001", "input": None})]
    for number in range(LONG):
        command = str(number + 1)
        history.append(_an_event(len(history) + 1, "ActivityScheduled", {"command": command, "activity": "echo", "arguments": [number]}))
        history.append(_an_event(len(history) + 1, "ActivityCompleted", {"command": command, "result": number}))
    return history


def _an_event(sequence: int, kind: str, attributes: dict[str, object]) -> HistoryEvent:
    return HistoryEvent(sequence=sequence, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, attributes=attributes)


def fill(path: Path) -> None:
    """As if it had been at work for a long time."""
    database = Database(f"sqlite:///{path}")
    migrate(database)
    now = time.time_ns() // 1_000_000
    with database.transaction() as connection:
        for start in range(0, FINISHED + PARKED, 10_000):
            batch = [a_row(number, now) for number in range(start, start + 10_000)]
            connection.execute(runs.insert(), batch)
            connection.execute(events.insert(), [event for row in batch for event in _some_events(str(row["run_id"]), now)])
    asyncio.run(database.close())


def a_row(number: int, now: int) -> dict[str, object]:
    """Finished, or parked until tomorrow."""
    parked = number < PARKED
    return {
        "run_id": f"old-{number}",
        "workflow_id": f"old-{number}",
        "live": f"old-{number}" if parked else None,
        "type": "three",
        "status": "parked" if parked else "completed",
        "wake_at": now + 86_400_000 if parked else None,
        "signals": 0,
        "started_at": now,
        "ended_at": None if parked else now,
        "result": None if parked else "3",
    }


def _some_events(run_id: str, now: int) -> list[dict[str, object]]:
    """What three activities leave behind."""
    return [{"run_id": run_id, "sequence": number, "at": now, "kind": "ActivityCompleted", "attributes": "{}"} for number in range(1, 9)]
