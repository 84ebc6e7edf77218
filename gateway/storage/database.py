"""The floor storage and the durable engine share: one SQL database, one writer with group commit, many readers.

A **unit of work** is a plain function of a SQLAlchemy connection. Units handed to `write` from many tasks are run one
after another on the writer's thread, each inside a savepoint of its own, and committed together; `write` returns only
after that commit. A unit that raises is undone alone. Under load the commits per second stay few while the units per
second grow; with one caller a unit is one transaction.

Deadlocks and lost serialisations (PostgreSQL 40P01 and 40001, MySQL 1213 and 1205, a locked SQLite file) repeat the
whole group, so a unit may run more than once before it commits: it must do nothing but SQL.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from gateway.errors import ConfigurationWrong, DatabaseUnavailable

T = TypeVar("T")

_GROUP_LIMIT = 256
_READERS = 8
_REPEATS = 5


@dataclass(slots=True)
class _Unit:
    work: Callable[[Connection], Any]
    future: Future[Any]


class Database:
    """One database, opened. `url` is SQLAlchemy's (`sqlite:///admit.db`, `postgresql://…`, `mysql://…`)."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        self._units: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="database-reader")
        self._writer = threading.Thread(target=self._write_groups, name="database-writer", daemon=True)
        self._closed = False
        self._lock = threading.Lock()
        self._writer.start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run the unit and return its result once it is committed. Raises what it raised, or DatabaseUnavailable."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("the database has been closed")
            self._units.put(_Unit(work, future))
        return await asyncio.shield(asyncio.wrap_future(future))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a read-only unit on a reader's thread. Raises what it raised, or DatabaseUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.engine.connect() as connection:
                return work(connection)
        except OperationalError as problem:
            raise DatabaseUnavailable(f"the database did not answer: {_first_line(problem)}") from problem

    async def close(self) -> None:
        """Commit what was handed in, then let go."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._units.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        self.engine.dispose()

    # --- the writer's thread ---------------------------------------------------------

    def _write_groups(self) -> None:
        while True:
            first = self._units.get()
            if first is None:
                return
            group, closing = [first], False
            while len(group) < _GROUP_LIMIT:
                try:
                    unit = self._units.get_nowait()
                except queue.Empty:
                    break
                if unit is None:
                    closing = True
                    break
                group.append(unit)
            self._commit(group)
            if closing:
                return

    def _commit(self, group: list[_Unit]) -> None:
        for attempt in range(_REPEATS):
            try:
                outcomes = self._run(group)
            except DBAPIError as problem:
                if _lost_a_race(problem) and attempt + 1 < _REPEATS:
                    time.sleep(0.01 * 2**attempt)
                    continue
                failure = DatabaseUnavailable(f"the database could not commit: {_first_line(problem)}")
                failure.__cause__ = problem
                outcomes = [failure] * len(group)
            except BaseException as problem:  # the writer's edge: whoever waits must hear of it
                outcomes = [problem] * len(group)
            break
        for unit, outcome in zip(group, outcomes, strict=True):
            if unit.future.cancelled():
                continue
            if isinstance(outcome, BaseException):
                unit.future.set_exception(outcome)
            else:
                unit.future.set_result(outcome[0])

    def _run(self, group: list[_Unit]) -> list[Any]:
        outcomes: list[Any] = []
        with self.engine.begin() as connection:
            for unit in group:
                try:
                    if len(group) == 1:
                        outcomes.append((unit.work(connection),))
                        continue
                    with connection.begin_nested():
                        outcomes.append((unit.work(connection),))
                except Exception as problem:
                    if isinstance(problem, DBAPIError) and _lost_a_race(problem):
                        raise
                    if len(group) == 1:
                        connection.rollback()
                    outcomes.append(problem)
        return outcomes


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except Exception as problem:
        raise ConfigurationWrong("database: expected a URL such as sqlite:///admit.db", advice="see the README, Configuration") from problem
    match parsed.get_backend_name():
        case "sqlite":
            engine = create_engine(
                parsed, poolclass=QueuePool, pool_size=_READERS + 1, connect_args={"check_same_thread": False, "timeout": 10.0}
            )
            event.listen(engine, "connect", _sqlite_settings)
            event.listen(engine, "begin", _sqlite_begin)
            return engine
        case "postgresql":
            return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=_READERS + 1, pool_pre_ping=True)
        case "mysql" | "mariadb":
            return create_engine(
                parsed.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"}),
                pool_size=_READERS + 1,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
            )
        case other:
            raise ConfigurationWrong(f"database: expected sqlite, postgresql or mysql, found '{other}'")


def _sqlite_settings(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own implicit BEGIN would defeat BEGIN IMMEDIATE
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged delivery survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    """Writers take the lock at once; readers (other threads) must not."""
    writer = threading.current_thread().name == "database-writer"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _lost_a_race(problem: DBAPIError) -> bool:
    original = problem.orig
    if getattr(original, "sqlstate", None) in {"40P01", "40001"}:
        return True
    with suppress(AttributeError, IndexError, TypeError):
        if original.args[0] in {1213, 1205}:  # type: ignore[union-attr]
            return True
    return "database is locked" in str(original)


def _first_line(problem: BaseException) -> str:
    return str(getattr(problem, "orig", problem)).strip().splitlines()[0] if str(problem) else type(problem).__name__
