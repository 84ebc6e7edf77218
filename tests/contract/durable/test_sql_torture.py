"""The embedded engine under torture: on SQLite, on MariaDB, and on a PostgreSQL that is itself killed and started again."""

from __future__ import annotations

import time

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.durable.torture import END_LIMIT, seconds, seed, torture
from tests.servers.mariadb import fresh_mariadb
from tests.servers.need import need
from tests.servers.postgresql import PostgreSQL

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(seconds() + END_LIMIT + 240)]


async def prepared(url):
    """Its schema is there."""
    database = Database(url)
    migrate(database)
    await database.close()
    return url


def judge(summary):
    """Print what happened; fail with seed and histories where something is wrong."""
    print(f"torture: {summary}")
    assert not summary.problems, f"seed {summary.seed}\n" + "\n".join(summary.problems[:5])
    assert summary.kills > 0
    assert summary.cases > 0


async def test_killed_and_frozen_processes_lose_nothing_on_sqlite(tmp_path):
    """Expected results, replays that agree, signals in order."""
    url = await prepared(f"sqlite:///{tmp_path}/admit.db")
    judge(await torture(url, tmp_path / "effects", seed=seed(), seconds=seconds()))


async def test_killed_and_frozen_processes_lose_nothing_on_mariadb(tmp_path):
    """Which locks in its own ways."""
    with fresh_mariadb() as empty:
        url = await prepared(empty)
        judge(await torture(url, tmp_path / "effects", seed=seed(), seconds=seconds()))


async def test_killed_and_frozen_processes_lose_nothing_on_postgresql(tmp_path):
    """While the server itself is killed and started again."""
    need("postgresql")
    with PostgreSQL() as server:
        server.run("CREATE DATABASE torture")
        url = await prepared(server.url("torture"))

        def outage(dice):
            server.kill()
            time.sleep(dice.uniform(0.1, 1.0))
            server.start()

        judge(await torture(url, tmp_path / "effects", seed=seed(), seconds=seconds(), outage=outage))
