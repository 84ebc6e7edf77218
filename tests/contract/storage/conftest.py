"""Databases for the exam: SQLite's file, and a fresh database on a real server."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.storage.builders import as_migrated
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


FRESH = {"postgresql": fresh_postgresql, "mariadb": fresh_mariadb}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_url(request, tmp_path):
    """The URL of an empty database of each kind."""
    with fresh_sqlite(tmp_path) if request.param == "sqlite" else FRESH[request.param]() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_urls():
    """One migrated database of each server for all tests that only need their own rows: migrating costs more than most."""
    with ExitStack() as stack:
        urls = {}

        def url_of(kind):
            if kind not in urls:
                urls[kind] = stack.enter_context(FRESH[kind]())
            return urls[kind]

        yield url_of


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def database(request, tmp_path, migrated_urls):
    """A migrated database without a row, open."""
    opened = Database(f"sqlite:///{tmp_path}/admit.db" if request.param == "sqlite" else migrated_urls(request.param))
    migrate(opened)
    with opened.transaction() as connection:
        as_migrated(connection)
    yield opened
    await opened.close()
