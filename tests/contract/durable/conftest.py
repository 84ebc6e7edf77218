"""Databases for the exam of the embedded engine: SQLite's file, and a fresh database on a real server."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest

from gateway.durable.sql.tables import events, inbox, owners, runs
from gateway.storage import Database
from gateway.storage.dispatches import dispatches
from gateway.storage.migrations import migrate
from tests.servers.mariadb import fresh_mariadb
from tests.servers.postgresql import fresh_postgresql


@pytest.fixture
def anyio_backend():
    """The gateway runs on asyncio."""
    return "asyncio"


@contextmanager
def fresh_sqlite(tmp_path):
    """The URL of a file that is not there yet."""
    yield f"sqlite:///{tmp_path}/admit.db"


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def migrated_url(request, tmp_path_factory):
    """The URL of a database of each kind, migrated; the tests of a module share it, one after another."""
    tmp_path = tmp_path_factory.mktemp("database")
    fresh = {"sqlite": lambda: fresh_sqlite(tmp_path), "postgresql": fresh_postgresql, "mariadb": fresh_mariadb}[request.param]
    with fresh() as url:
        opened = Database(url)
        migrate(opened)
        asyncio.run(opened.close())
        yield url


@pytest.fixture
async def database(migrated_url):
    """Open, and with nothing of an earlier test in it."""
    opened = Database(migrated_url)
    await opened.write(empty)
    yield opened
    await opened.close()


def empty(connection):
    """A unit of work: as after the migration."""
    for table in (dispatches, runs, events, inbox, owners):
        connection.execute(table.delete())
