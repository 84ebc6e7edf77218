"""A database server that goes away: stopped, killed, and back again; or not there at all."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.errors import DatabaseUnavailable
from gateway.storage import Database
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.deliveries import Arrived, record_deliveries
from tests.contract.storage.builders import a_delivery
from tests.servers.mariadb import MariaDB
from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[PostgreSQL, MariaDB], ids=["postgresql", "mariadb"])
def server(request):
    """One of its own, since it will be stopped."""
    with request.param() as started:
        yield started


async def test_server_away_for_a_while_costs_time_and_nothing_else(server):
    """Stopped in order, then killed: writes wait, reads say so at once, and everything acknowledged is there."""
    async with _migrated(server) as (_, storage):
        await storage.record_delivery(a_delivery(id="before"), [])
        for count, down in enumerate([server.stop, server.kill]):
            down()
            waiting = asyncio.ensure_future(storage.record_delivery(a_delivery(id=f"during-{count}"), []))
            with pytest.raises(DatabaseUnavailable):
                await storage.delivery("work", "before")
            await asyncio.sleep(1)
            assert not waiting.done()
            await asyncio.to_thread(server.start)
            assert await waiting
        for id in ("before", "during-0", "during-1"):
            assert await storage.delivery("work", id) is not None


async def test_server_that_dies_inside_a_unit_makes_it_run_again(server):
    """The connection is lost before the commit, so nothing was kept, and the whole unit is repeated."""
    async with _migrated(server) as (database, storage):
        runs = []

        def unit(connection):
            new = _recorded(connection, id=f"run-{len(runs)}")
            runs.append(new)
            if len(runs) == 1:
                _replace(server)
                _recorded(connection, id="after")
            return new

        assert await database.write(unit)
        assert len(runs) == 2
        assert await storage.delivery("work", "run-0") is None
        assert await storage.delivery("work", "run-1") is not None


async def test_server_that_dies_at_the_commit_leaves_a_doubt_and_says_so(server):
    """Whether it was kept nobody knows, so it is not repeated; the same again under its own key is right either way."""
    async with _migrated(server) as (database, storage):
        runs = []

        def unit(connection):
            runs.append(_recorded(connection, id="x"))
            if len(runs) == 1:
                _replace(server)

        with pytest.raises(DatabaseUnavailable, match="may or may not"):
            await database.write(unit)
        assert len(runs) == 1
        await database.write(unit)
        assert await storage.delivery("work", "x") is not None


def _recorded(connection, id):
    (new,) = record_deliveries(connection, [Arrived(delivery=a_delivery(id=id), dispatches=())], now_ms=0)
    return new


@asynccontextmanager
async def _migrated(server):
    server.run("CREATE DATABASE admit")
    database = Database(server.url("admit"), patience=60)
    try:
        migrate(database)
        yield database, SqlStorage(database)
    finally:
        await database.close()


def _replace(server):
    """Kill it and have it come up again with what it had."""
    server.kill()
    server.start()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_server_that_is_not_there_is_told_without_secrets(scheme):
    """After the patience, with the address and without the password."""
    database = Database(f"{scheme}://admit:hunter2@127.0.0.1:{free_port()}/admit", patience=0)
    try:
        for attempt in (database.write(lambda connection: None), database.read(lambda connection: None)):
            with pytest.raises(DatabaseUnavailable) as caught:
                await attempt
            assert "hunter2" not in str(caught.value)
            assert "127.0.0.1" in str(caught.value)
    finally:
        await database.close()
