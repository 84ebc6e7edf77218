"""The durable core beside DBOS, Temporal's dev server and Prefect: workflows of three trivial activities, every commit durable.

Everybody gets what suits him best: DBOS direct starts, libuv's loop as we have it and a file in WAL mode (queued starts are
rows of their own), Temporal local activities and no sandbox, Prefect tasks called where the flow runs. One process each,
taking turns, so that a busy machine is as busy for each; the median of each figure. Then what only concerns us: how much
a full database slows a new workflow down, and how fast a long history is taken up again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.durable_growth import growth, recovery
from tests.benchmarks.environments import python_of
from tests.benchmarks.rows import Row
from tests.servers.postgresql import PostgreSQL
from tests.servers.temporal import running_temporal

HERE = Path(__file__).parent
ROUNDS = 3
LOADS = ((1, 60), (8, 200), (32, 400))
FIGURES = (
    ("per_second", "workflows/s", "higher"),
    ("p50_ms", "p50 ms", "lower"),
    ("p99_ms", "p99 ms", "lower"),
    ("cpu_ms", "CPU ms each", "lower"),
    ("memory_mb", "memory MB", "lower"),
    ("idle_percent", "idle CPU %", "lower"),
)
RATE = FIGURES[:2]
_LIMIT = 240.0
"""Seconds for one child; who needs longer is told to be missing."""

Child = Callable[[int, int], "dict[str, float] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Somebody under load. run: (count, at once) → his figures, None where he cannot be had. slow: a tenth of the load will do."""

    name: str
    run: Child
    figures: Sequence[tuple[str, str, str]] = FIGURES
    slow: bool = False


async def measure() -> list[Row]:
    """All of it."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        rows += await asyncio.to_thread(on_sqlite, Path(folder))
        rows += await asyncio.to_thread(on_postgresql)
        rows += await growth(Path(folder), lambda path, count: child(OURS, f"sqlite:///{path}", count, 1))
    rows += await recovery()
    return rows


def on_sqlite(folder: Path) -> list[Row]:
    """Against everybody."""
    fresh = _files(folder)
    rows: list[Row] = []
    with _temporal(folder) as temporal:
        sides = [
            *_dbos(lambda: f"sqlite:///{in_wal(fresh())}"),
            Side(name="Temporal dev server, local activities", run=temporal, figures=RATE, slow=True),
            Side(name="Prefect 3.8.8", run=_prefect(fresh), figures=RATE, slow=True),
        ]
        for at_once, count in LOADS:
            rows += compared("SQLite", lambda count, at_once: child(OURS, f"sqlite:///{fresh()}", count, at_once), sides, at_once, count)
    return rows


def on_postgresql() -> list[Row]:
    """Against DBOS, the only one that runs in a database of one's own: started directly, and queued as on SQLite."""
    rows: list[Row] = []
    try:
        with _DurablePostgreSQL() as server:
            fresh = _databases(server)
            for at_once, count in LOADS:
                rows += compared("PostgreSQL", partial(_on, OURS, fresh), _dbos(fresh), at_once, count)
    except pytest.skip.Exception as missing:
        print(f"bench: NO POSTGRESQL ROWS: {missing}", file=sys.stderr, flush=True)
    return rows


def compared(where: str, ours: Child, sides: Sequence[Side], at_once: int, count: int) -> list[Row]:
    """Rounds of all in turn; the figures that each side has, beside ours."""
    mine: list[dict[str, float]] = []
    theirs: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
    for _ in range(ROUNDS):
        figures = ours(count, at_once)
        assert figures is not None
        mine.append(figures)
        for side in sides:
            if side.slow and theirs[side.name]:
                continue  # once will do; who could not is asked again in the next turn
            found = side.run(max(at_once, count // 10) if side.slow else count, at_once)
            theirs[side.name] += [found] if found is not None else []
    return [
        Row(
            what=f"durable workflows, {at_once} at once, {where}",
            figure=unit,
            ours=statistics.median(figures[key] for figures in mine),
            other=statistics.median(figures[key] for figures in theirs[side.name]),
            alternative=side.name,
            better=better,
        )
        for side in sides
        if theirs[side.name]
        for key, unit, better in side.figures
        if at_once == 32 or key not in {"memory_mb", "idle_percent"}
    ]


# --- the sides ----------------------------------------------------------------------------

OURS = [sys.executable, "-m", "tests.benchmarks.durable_child"]


def _on(command: list[str], fresh: Callable[[], str], count: int, at_once: int) -> dict[str, float] | None:
    return child(command, fresh(), count, at_once)


def _dbos(fresh: Callable[[], str]) -> list[Side]:
    python = python_of("dbos-3.4.0-uvloop", "dbos==3.4.0", "psycopg[binary]", "uvloop")
    if python is None:
        return []
    command = [str(python), str(HERE / "durable_dbos.py")]
    return [
        Side(name="DBOS 3.4.0, started directly", run=partial(_on, command, fresh)),
        Side(
            name="DBOS 3.4.0, queued, polled 20/s",
            run=lambda count, at_once: child(command, fresh(), count // 4, at_once, "queued"),
            figures=RATE,
        ),
    ]


def _prefect(fresh: Callable[[], Path]) -> Child:
    """It brings up a server of its own, which takes long: who could not twice is not asked again."""
    failed = 0

    def run(count: int, at_once: int) -> dict[str, float] | None:
        nonlocal failed
        python = None if failed > 1 else python_of("prefect-3.8.8", "prefect==3.8.8", "fastapi<0.140")
        command = [str(python), str(HERE / "durable_prefect.py")]
        found = None if python is None else child(command, f"{fresh()}.prefect", count, at_once)
        failed = failed + 1 if found is None else 0
        return found

    return run


@contextmanager
def _temporal(folder: Path):
    try:
        with running_temporal(database=folder / "temporal.db") as address:
            yield lambda count, at_once: child([sys.executable, str(HERE / "durable_temporal.py")], address, count, at_once)
    except pytest.skip.Exception as missing:
        print(f"bench: NO TEMPORAL ROWS: {missing}", file=sys.stderr, flush=True)
        yield lambda count, at_once: None


class _DurablePostgreSQL(PostgreSQL):
    """As one would run it: every commit on the disk."""

    def _command(self) -> list[str]:
        return ["fsync=on" if part == "fsync=off" else part for part in super()._command()]


def _databases(server: PostgreSQL) -> Callable[[], str]:
    def fresh() -> str:
        name = f"bench{time.time_ns()}"
        server.run(f"CREATE DATABASE {name}")
        return server.url(name)

    return fresh


def _files(folder: Path) -> Callable[[], Path]:
    return lambda: folder / f"{time.time_ns()}.db"


def child(command: list[str], where: str, count: int, at_once: int, *more: str) -> dict[str, float] | None:
    """One side in a process group of its own; its figures. None, said aloud, where it fails or takes too long."""
    process = subprocess.Popen(
        [*command, where, str(count), str(at_once), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE.parents[1],
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        output, errors = "", f"not done within {_LIMIT:g} s"
    finally:
        _end_group(process)
    if process.returncode != 0 or not output.strip():
        print(
            f"bench: {Path(command[-1]).name} at {at_once} at once IS MISSING (exit {process.returncode}): {errors.strip()[-500:]}",
            file=sys.stderr,
            flush=True,
        )
        if command == OURS:
            raise RuntimeError("our own side failed")
        return None
    figures: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return figures


def _end_group(process: subprocess.Popen[str]) -> None:
    """It and what it started: Prefect's server would stay, and keep our end of the pipe open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def in_wal(path: Path) -> Path:
    """A database file that is in WAL mode for whoever opens it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path
