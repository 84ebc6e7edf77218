"""From a URL to an open SQLAlchemy engine, with what each database needs to keep its promises."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from gateway.errors import ConfigurationWrong
from gateway.storage.prepared import tell

_CONNECT_LIMIT = 5
_SQLITE_WAIT = 5.0
_SQLITE_PAGES = 512
"""kB that each connection keeps of the file. SQLite's 2,000 for each of ten would take long to fill, and spare nothing: what
another connection has written meanwhile makes a reader forget all of them, and the system keeps them too."""
_WRITES = "admit_writes"


def open_engine(url: str, *, connections: int) -> Engine:
    """An engine for this database; nothing is connected yet. Raises ConfigurationWrong."""
    try:
        parsed = make_url(url)
    except ArgumentError as problem:
        raise ConfigurationWrong(
            "database: expected a URL such as sqlite:///admit.db, found something else",
            advice="see Configuration in the README: sqlite:///FILE, postgresql://…, mysql://…",
        ) from problem
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, connections)
        case "postgresql":
            return create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_size=connections,
                pool_pre_ping=True,
                # a server that is gone without a word is noticed within seconds
                connect_args={
                    "connect_timeout": _CONNECT_LIMIT,
                    "keepalives_idle": 10,
                    "keepalives_interval": 5,
                    "tcp_user_timeout": 30_000,
                },
            )
        case "mysql" | "mariadb":
            return create_engine(
                parsed.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"}),
                pool_size=connections,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",  # gap locks would make strangers wait for each other
                connect_args={"connect_timeout": _CONNECT_LIMIT, "read_timeout": 300, "write_timeout": 300},
            )
        case other:
            raise ConfigurationWrong(f"database: expected sqlite, postgresql or mysql, found '{other}'")


def for_writing(engine: Engine) -> Engine:
    """The same pool; transactions begun here mean to write."""
    return engine.execution_options(**{_WRITES: True})


def _sqlite(url: URL, connections: int) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise ConfigurationWrong(
            "database: expected a file, found SQLite in memory, where every connection would have a database of its own",
            advice="write sqlite:///admit.db",
        )
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        pool_use_lifo=True,  # few connections that know their pages, instead of all by turns
        connect_args={"check_same_thread": False, "timeout": _SQLITE_WAIT},
    )
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own implicit BEGIN would defeat BEGIN IMMEDIATE
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged delivery survives a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{_SQLITE_PAGES}")
    connection.execute("PRAGMA temp_store=MEMORY")  # a group's savepoints would each make, fill and remove a file


def _use_wal(connection: sqlite3.Connection) -> None:
    """Only the first connection ever changes anything; SQLite does not wait when two try that at once."""
    deadline = time.monotonic() + _SQLITE_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _sqlite_begin(connection: Connection) -> None:
    """Who means to write takes the lock at once: a reader that turns writer late may lose everything it has read."""
    writes: Any = connection.get_execution_options().get(_WRITES, False)
    tell(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")
