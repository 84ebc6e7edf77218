"""The embedded engine under torture: on SQLite, on MariaDB, and on a PostgreSQL that is itself killed and started again."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.torture import Summary, torture
from tests.servers.mariadb import fresh_mariadb
from tests.servers.need import need
from tests.servers.postgresql import PostgreSQL
from tests.torture.outcome import Outcome


def on_sqlite(seconds: float, seed: int) -> Outcome:
    """A file on this disk."""
    with tempfile.TemporaryDirectory() as folder:
        return _tortured(f"sqlite:///{folder}/admit.db", seconds, seed)


def on_mariadb(seconds: float, seed: int) -> Outcome:
    """Which locks in its own ways."""
    with fresh_mariadb() as url:
        return _tortured(url, seconds, seed)


def on_postgresql(seconds: float, seed: int) -> Outcome:
    """While the server itself is killed and started again."""
    need("postgresql")
    with PostgreSQL() as server:
        server.run("CREATE DATABASE torture")

        def outage(dice: Random) -> None:
            server.kill()
            time.sleep(dice.uniform(0.1, 1.0))
            server.start()

        return _tortured(server.url("torture"), seconds, seed, outage)


def _tortured(url: str, seconds: float, seed: int, outage: Callable[[Random], None] | None = None) -> Outcome:
    database = Database(url)
    migrate(database)
    asyncio.run(database.close())
    with tempfile.TemporaryDirectory() as folder:
        summary: Summary = asyncio.run(torture(url, Path(folder) / "effects", seed=seed, seconds=seconds, outage=outage))
    return summary.outcome()
