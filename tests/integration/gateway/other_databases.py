"""What the gateway's own tests need to run once more on a real database server: what holds on SQLite holds there."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.integration.gateway import house, test_bypass, test_hostile, test_reconcile, test_thin_line, test_two_gateways

TESTS = {
    name: test
    for module in (test_thin_line, test_two_gateways, test_reconcile, test_bypass, test_hostile)
    for name, test in vars(module).items()
    if name.startswith("test_")
}


def databases_of(fresh):
    """A fixture: each folder's house on a database of its own, from `fresh`, its tables made as `admit migrate` makes them."""

    @pytest.fixture(autouse=True)
    def on_another_database(monkeypatch):
        made = {}
        with contextlib.ExitStack() as stack:

            def database_of(folder):
                if folder not in made:
                    made[folder] = stack.enter_context(fresh())
                    _migrate(made[folder])
                return made[folder]

            monkeypatch.setattr(house, "database_of", database_of)
            yield

    return on_another_database


def _migrate(url):
    database = Database(url)
    try:
        migrate(database)
    finally:
        with ThreadPoolExecutor(1) as aside:  # the house is opened from within a loop, which cannot wait for another
            aside.submit(asyncio.run, database.close()).result()
