"""Databases for the exam of the embedded engine: SQLite's file, and a fresh database on a real server."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from gateway.storage import Database
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


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_url(request, tmp_path):
    """The URL of an empty database of each kind."""
    fresh = {"sqlite": lambda: fresh_sqlite(tmp_path), "postgresql": fresh_postgresql, "mariadb": fresh_mariadb}[request.param]
    with fresh() as url:
        yield url


@pytest.fixture
async def database(empty_url):
    """A migrated database, open."""
    opened = Database(empty_url)
    migrate(opened)
    yield opened
    await opened.close()
