"""The durable core beside DBOS: workflows of three trivial activities, every commit durable, one process each, taking turns.

DBOS lives in an environment of its own (`pip install dbos==3.4.0` somewhere, and `ADMIT_BENCH_DBOS=…/bin/python`); without
it our own figures are printed beside nothing. DBOS gets what suits it best: direct starts instead of a polling queue, and
a database file in WAL mode. Then what only concerns us: how much a full database slows a new workflow down, and how fast a
long history is folded.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway.durable import HistoryEvent
from gateway.durable.execution import Execution
from gateway.durable.sql.tables import events, runs
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.benchmarks.rows import Row

ROOT = Path(__file__).parents[2]
ROUNDS = 3
FINISHED, PARKED = 100_000, 10_000


async def measure() -> list[Row]:
    """All of it, on SQLite."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for at_once, count in ((1, 60), (8, 200), (32, 400)):
            rows += compared(Path(folder), at_once, count)
        rows.append(growth(Path(folder)))
    rows.append(folding())
    return rows


def compared(folder: Path, at_once: int, count: int) -> list[Row]:
    """Rounds of both in turn, so that a busy machine is as busy for each; the median of each figure."""
    ours, theirs = [], []
    dbos = os.environ.get("ADMIT_BENCH_DBOS")
    for turn in range(ROUNDS):
        ours.append(child([sys.executable, "-m", "tests.benchmarks.durable_child"], folder / f"ours{at_once}-{turn}.db", count, at_once))
        if dbos:
            theirs.append(child([dbos, "tests/benchmarks/durable_dbos.py"], in_wal(folder / f"dbos{at_once}-{turn}.db"), count, at_once))
    what = f"durable workflows, {at_once} at once, SQLite"
    shown = [
        ("per_second", "workflows/s", "higher"),
        ("p50_ms", "p50 ms", "lower"),
        ("p99_ms", "p99 ms", "lower"),
        ("cpu_ms", "CPU ms each", "lower"),
    ]
    if at_once == 32:
        shown += [("idle_percent", "idle CPU %", "lower"), ("memory_mb", "memory MB", "lower")]
    return [
        Row(
            what=what,
            figure=unit,
            ours=statistics.median(figures[key] for figures in ours),
            other=statistics.median(figures[key] for figures in theirs) if theirs else float("nan"),
            alternative="DBOS 3.4.0" if theirs else "nothing: ADMIT_BENCH_DBOS is not set",
            better=better,
        )
        for key, unit, better in shown
    ]


def child(command: list[str], path: Path, count: int, at_once: int) -> dict[str, float]:
    """One side in a process of its own; its figures."""
    done = subprocess.run(
        [*command, f"sqlite:///{path}", str(count), str(at_once)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def in_wal(path: Path) -> Path:
    """A database file that is in WAL mode for whoever opens it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path


def growth(folder: Path) -> Row:
    """A new workflow in a database that has seen much, beside one in an empty database."""
    full = folder / "full.db"
    fill(full)
    command = [sys.executable, "-m", "tests.benchmarks.durable_child"]
    loaded, empty = [], []
    for turn in range(ROUNDS):
        loaded.append(child(command, full, 100, 1)["p50_ms"])
        empty.append(child(command, folder / f"empty{turn}.db", 100, 1)["p50_ms"])
    return Row(
        what=f"one workflow beside {FINISHED:,} finished, {PARKED:,} parked",
        figure="p50 ms",
        ours=statistics.median(loaded),
        other=statistics.median(empty),
        alternative="the same in an empty database",
        better="lower",
    )


def fill(path: Path) -> None:
    """As if it had been at work for a long time."""
    database = Database(f"sqlite:///{path}")
    migrate(database)
    now = time.time_ns() // 1_000_000
    with database.transaction() as connection:
        for start in range(0, FINISHED + PARKED, 10_000):
            batch = [a_row(number, now) for number in range(start, start + 10_000)]
            connection.execute(runs.insert(), batch)
            connection.execute(events.insert(), [event for row in batch for event in some_events(str(row["run_id"]), now)])
    database.engine.dispose()


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


def some_events(run_id: str, now: int) -> list[dict[str, object]]:
    """What three activities leave behind."""
    return [{"run_id": run_id, "sequence": number, "at": now, "kind": "ActivityCompleted", "attributes": "{}"} for number in range(1, 9)]


def folding() -> Row:
    """A history of ten thousand events, as a recovery folds it."""

    async def long(ctx, input):
        for number in range(5000):
            await ctx.activity("echo", number)

    history = [an_event(1, "WorkflowStarted", {"workflow_id": "w", "run_id": "01957b1c-0000-7000-8000-000000000001", "input": None})]
    for number in range(5000):
        command = str(number + 1)
        history.append(an_event(len(history) + 1, "ActivityScheduled", {"command": command, "activity": "echo", "arguments": [number]}))
        history.append(an_event(len(history) + 1, "ActivityCompleted", {"command": command, "result": number}))
    took = []
    for _ in range(5):
        begun = time.process_time()
        Execution(long, history).close()
        took.append(1000 * (time.process_time() - begun))
    return Row(
        what="folding a history of 10,001 events",
        figure="CPU ms",
        ours=min(took),
        other=200.0,
        alternative="what was asked for",
        better="lower",
    )


def an_event(sequence: int, kind: str, attributes: dict[str, object]) -> HistoryEvent:
    """At no time in particular."""
    return HistoryEvent(sequence=sequence, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, attributes=attributes)
