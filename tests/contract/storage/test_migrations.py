"""The migration history against the code it belongs to, on every kind of database."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import column, insert, inspect, select, text
from sqlalchemy import table as table_clause

import gateway.durable
import gateway.storage
from gateway.errors import DatabaseOutdated, DatabaseUnavailable
from gateway.storage import Database
from gateway.storage.columns import metadata, to_ms
from gateway.storage.documents import delivery_document
from gateway.storage.keys import key
from gateway.storage.migrations import SchemaState, history, migrate, schema_state
from gateway.storage.sql import SqlStorage
from policies.canonical import canonical, digest
from tests.contract.storage.builders import a_delivery

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(empty_url):
    """Open and empty."""
    opened = Database(empty_url)
    yield opened
    await opened.close()


def test_history_is_one_line():
    """One first, one last, and every revision in between has one before it."""
    script = history()
    assert len(script.get_bases()) == 1
    assert len(script.get_heads()) == 1
    revisions = list(script.walk_revisions())
    assert [r.down_revision for r in revisions] == [*[r.revision for r in revisions[1:]], None]


async def test_migrated_schema_is_the_codes(database):
    """Types, nullability, defaults, indexes, unique constraints of every table anybody defines: nothing to add, drop or alter."""
    for package in (gateway.storage, gateway.durable):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations." not in module.name:
                importlib.import_module(module.name)
    assert {"workflow_run", "dispatch", "decision"} <= {*metadata.tables}
    migrate(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("empty_url", ["mariadb"], indirect=True)  # the only one whose default ignores case and accents
async def test_text_is_compared_byte_by_byte(database):
    """Every column that is looked up, but for those that only ever hold our own lower-case words and digests."""
    migrate(database)
    query = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND column_key <> ''"
        " AND data_type IN ('varchar', 'char') AND collation_name NOT LIKE '%\\_bin' AND table_name <> 'alembic_version'"
    )
    with database.engine.connect() as connection:
        found = {(table, column) for table, column in connection.execute(query)}
    ours = {("blob", "digest"), ("bundle", "digest"), ("decision", "outcome"), ("tracked_change", "state"), ("submission", "state")}
    assert found <= ours


async def test_empty_database_becomes_current(database):
    """And says what it was; a second time changes nothing."""
    with database.engine.connect() as connection:
        assert schema_state(connection) is SchemaState.EMPTY
    assert migrate(database) is SchemaState.EMPTY
    with database.engine.connect() as connection:
        assert schema_state(connection) is SchemaState.CURRENT
    assert migrate(database) is SchemaState.CURRENT


async def test_older_database_is_not_ready_until_it_is_migrated(database):
    """A gateway refuses to run on it, and says which command helps."""
    storage = SqlStorage(database)
    with pytest.raises(DatabaseOutdated) as caught:
        await storage.ready()
    assert caught.value.advice == "run: admit migrate"
    migrate(database)
    await storage.ready()
    _pretend(database, "0001")
    with pytest.raises(DatabaseOutdated, match="older") as caught:
        await storage.ready()
    assert caught.value.advice == "run: admit migrate"


async def test_newer_database_is_refused_and_left_alone(database):
    """An older gateway neither runs on it nor touches it."""
    migrate(database)
    _pretend(database, "9999")
    with pytest.raises(DatabaseOutdated, match="newer"):
        migrate(database)
    with pytest.raises(DatabaseOutdated, match="newer"):
        await SqlStorage(database).ready()
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


async def test_gateways_that_migrate_at_once_do_it_once(empty_url):
    """All of them come back with a current schema, one of them found it empty."""

    async def one():
        database = Database(empty_url)
        try:
            return await asyncio.to_thread(migrate, database)
        finally:
            await database.close()

    found = await asyncio.gather(*(one() for _ in range(4)))
    assert sorted(found) == [SchemaState.CURRENT] * 3 + [SchemaState.EMPTY]


async def test_migrations_keep_what_is_there(database):
    """Each step, from the first, on a database that holds something written before packed blobs were."""
    script = history()
    first, *later = [revision.revision for revision in script.walk_revisions()][::-1]
    storage = SqlStorage(database)
    migrate(database, to=first)
    delivery = a_delivery(id="kept", body=b"\0\xff")
    blob = {"digest": digest("delivery", delivery.body), "part": 0, "kind": "delivery", "content": delivery.body}
    document = canonical(delivery_document(delivery))
    row = {"key": key("work", "kept"), "received_at": to_ms(delivery.received_at), "body": blob["digest"], "document": document}
    with database.transaction() as connection:
        _insert(connection, "blob", blob)
        _insert(connection, "delivery", row)
    for revision in later:
        migrate(database, to=revision)
        with database.engine.connect() as connection:
            assert bytes(connection.scalar(select(table_clause("blob", column("content"))))) == delivery.body
    await storage.ready()
    assert await storage.delivery("work", "kept") == delivery


def _insert(connection, table, row):
    """As an older version did: this code's columns may not be there yet."""
    connection.execute(insert(table_clause(table, *map(column, row))), row)


@pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)  # MySQL commits each statement by itself
async def test_migration_that_fails_leaves_nothing(database, monkeypatch):
    """No half of a schema stays behind, and the next try starts afresh."""

    def broken():
        raise RuntimeError("power cut")

    script = history()
    with monkeypatch.context() as patch:
        patch.setattr(script.get_revision("head").module, "upgrade", broken)
        patch.setattr(ScriptDirectory, "from_config", lambda config: script)
        with pytest.raises(RuntimeError, match="power cut"):
            migrate(database)
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert migrate(database) is SchemaState.EMPTY


async def test_state_of_an_unreachable_database_is_unavailable(tmp_path):
    """Not taken for empty."""
    database = Database(f"sqlite:///{tmp_path}/missing/admit.db")
    try:
        with pytest.raises(DatabaseUnavailable):
            await SqlStorage(database).ready()
    finally:
        await database.close()


def _pretend(database, revision):
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
