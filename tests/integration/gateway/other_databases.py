"""What the gateway's own tests need to run once more on a real database server: what holds on SQLite holds there."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.contract.storage.builders import as_migrated
from tests.integration.gateway import house, test_bypass, test_hostile, test_reconcile, test_thin_line, test_two_gateways

TESTS = {
    name: test
    for module in (test_thin_line, test_two_gateways, test_reconcile, test_bypass, test_hostile)
    for name, test in vars(module).items()
    if name.startswith("test_")
}


def databases_of(fresh):
    """Two fixtures. A database from `fresh` for the module, its tables made as `admit migrate` makes them: that costs more than most
    tests. And each test's house on it, with nothing of an earlier test in it."""

    @pytest.fixture(scope="module")
    def migrated():
        with fresh() as url, _opened(url) as database:
            migrate(database)
            yield url, database

    @pytest.fixture(autouse=True)
    def on_another_database(migrated, monkeypatch):
        url, database = migrated
        with database.transaction() as connection:
            as_migrated(connection)
        houses = set()

        def database_of(folder):
            houses.add(folder)
            assert len(houses) == 1, f"expected one house's folder in a test, all share a database; there are {houses}"
            return url

        monkeypatch.setattr(house, "database_of", database_of)

    return migrated, on_another_database


@contextlib.contextmanager
def _opened(url):
    database = Database(url)
    try:
        yield database
    finally:
        asyncio.run(database.close())
