"""What can happen to a file: another process holds it, the disk is full, it cannot be there at all."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time

import pytest
from sqlalchemy import event, text

from gateway.errors import ConfigurationWrong, DatabaseUnavailable
from gateway.storage import Database
from gateway.storage.dispatches import take_dispatches
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.deliveries import Arrived, record_deliveries
from tests.contract.storage.builders import a_delivery, a_dispatch

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path):
    return tmp_path / "admit.db"


@pytest.fixture
async def open_storage(file):
    """Open storage on the file with this much patience."""
    opened = []

    def make(patience):
        database = Database(f"sqlite:///{file}", patience=patience)
        migrate(database)
        opened.append(database)
        return SqlStorage(database)

    yield make
    for database in opened:
        await database.close()


async def test_lock_of_ten_seconds_is_sat_out(file, open_storage):
    """A backup or another tool holds the file; the write waits, and nobody hears of it."""
    storage = open_storage(patience=30)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(10, other.execute, ["COMMIT"])
    release.start()
    started = time.monotonic()
    assert await storage.record_delivery(a_delivery(), [])
    assert time.monotonic() - started > 9
    release.join()
    other.close()


async def test_lock_longer_than_patience_is_told_and_ends(file, open_storage):
    """Then the caller may try again, and what was refused was not written."""
    storage = open_storage(patience=0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await storage.record_delivery(a_delivery(id="x"), [])
    other.execute("COMMIT")
    other.close()
    assert await storage.delivery("work", "x") is None
    assert await storage.record_delivery(a_delivery(id="x"), [])


async def test_reads_do_not_wait_for_a_lock(file, open_storage):
    """Pages are shown while somebody writes."""
    storage = open_storage(patience=0)
    await storage.record_delivery(a_delivery(id="x"), [])
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM delivery")
    assert await storage.delivery("work", "x") is not None
    other.execute("ROLLBACK")
    other.close()


async def test_full_disk_refuses_what_does_not_fit_and_nothing_else(file, open_storage):
    """What was acknowledged stays, small writes in the same group go through, and space helps at once."""
    database = Database(f"sqlite:///{file}")
    migrate(database)
    storage = SqlStorage(database)
    room: list[int] = []

    def limit(connection):
        """Each connection has a limit of its own."""
        connection.execute(f"PRAGMA max_page_count={room[0]}")

    event.listen(database.engine, "checkout", lambda connection, *_: limit(connection) if room else None)
    try:
        await storage.record_delivery(a_delivery(id="before"), [])
        pages = await database.read(lambda c: c.scalar(text("PRAGMA page_count")))
        room.append(pages + 40)
        await database.write(lambda c: limit(c.connection.driver_connection))
        sizes = {"small-1": 10, "large": 2_000_000, "small-2": 10}
        answers = await asyncio.gather(
            *(storage.record_delivery(a_delivery(id=id, body=os.urandom(size)), []) for id, size in sizes.items()),
            return_exceptions=True,
        )
        assert answers[0] is True
        assert answers[2] is True
        assert isinstance(answers[1], DatabaseUnavailable)
        assert "full" in str(answers[1])
        assert answers[1].advice is not None
        assert [await storage.delivery("work", id) is not None for id in ("before", "large")] == [True, False]
        room[0] = 100_000
        await database.write(lambda c: limit(c.connection.driver_connection))
        assert await storage.record_delivery(a_delivery(id="large", body=os.urandom(2_000_000)), [])
    finally:
        await storage.close()


async def test_many_open_a_new_file_at_once(file):
    """Eight gateways start together on a file that is not there; all of them come up."""

    def start():
        database = Database(f"sqlite:///{file}", patience=60)
        migrate(database)
        return database

    databases = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(8)))
    try:
        answers = await asyncio.gather(*(SqlStorage(database).record_delivery(a_delivery(id="x"), []) for database in databases))
        assert sorted(answers) == [False] * 7 + [True]
    finally:
        for database in databases:
            await database.close()


async def test_folder_that_is_not_there_is_told(tmp_path):
    """As unavailable: somebody may mount it."""
    database = Database(f"sqlite:///{tmp_path}/no/such/folder/admit.db", patience=0)
    try:
        with pytest.raises(DatabaseUnavailable, match="unable to open"):
            migrate(database)
        with pytest.raises(DatabaseUnavailable, match="unable to open"):
            await database.write(lambda connection: None)
    finally:
        await database.close()


async def test_file_that_is_no_database_is_told(file):
    """And is not touched."""
    file.write_bytes(b"not a database, but a letter" * 100)
    database = Database(f"sqlite:///{file}", patience=0)
    try:
        with pytest.raises(DatabaseUnavailable, match="not a database"):
            migrate(database)
        assert file.read_bytes() == b"not a database, but a letter" * 100
    finally:
        await database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "oracle://x/y", "admit.db", "", "sqlite"])
def test_url_that_cannot_be_used_is_refused_before_anything_is_opened(url):
    """With the key and what was expected."""
    with pytest.raises(ConfigurationWrong, match="database: expected"):
        Database(url)


def test_a_burst_tells_a_workflow_the_same_thing_once(file):
    """And what differs in any way, in its order: pushed, moved, pushed again are three."""
    database = Database(f"sqlite:///{file}")
    migrate(database)
    told = [("a", "pushed"), ("a", "pushed"), ("b", "pushed"), ("a", "moved"), ("a", "pushed"), ("a", "pushed")]
    burst = [
        Arrived(
            delivery=a_delivery(id=str(number)), dispatches=[a_dispatch(id=str(number), workflow_id=workflow, signal="s", payload=payload)]
        )
        for number, (workflow, payload) in enumerate(told)
    ]
    try:
        with database.transaction() as connection:
            assert record_deliveries(connection, burst, now_ms=1) == [True] * 6
            taken = [(each.workflow_id, json.loads(each.payload)) for each in take_dispatches(connection, limit=9)]
    finally:
        asyncio.run(database.close())
    assert sorted(taken) == sorted([("a", "pushed"), ("b", "pushed"), ("a", "moved"), ("a", "pushed")])
    assert [payload for workflow, payload in taken if workflow == "a"] == ["pushed", "moved", "pushed"]
