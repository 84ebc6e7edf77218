"""A unit of nothing but prepared statements keeps what every unit keeps, though PostgreSQL is sent it in one go."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import IntegrityError

from gateway.storage import Database
from gateway.storage.dispatches import dispatches
from gateway.storage.migrations import migrate
from gateway.storage.prepared import Prepared, prepared_insert
from tests.contract.storage.test_prepared import a_row
from tests.servers.postgresql import fresh_postgresql

pytestmark = pytest.mark.anyio

INSERT = prepared_insert(dispatches, without={"ord"})
IDS = Prepared(select(dispatches.c.id).where(dispatches.c.workflow_id == bindparam("of")).order_by(dispatches.c.id))


async def ids(database):
    """What is committed."""
    return [row.id for row in await database.read(lambda connection: IDS.run(connection, of="w"))]


def inserting(*names, then=lambda: None):
    """A unit that inserts these one by one, and reads them back."""

    def unit(connection):
        for name in names:
            INSERT.run(connection, **a_row(name))
        then()
        return [row.id for row in IDS.run(connection, of="w")]

    return unit


def refuse():
    """What a unit may do itself."""
    raise ValueError("not like this")


async def test_unit_sees_what_it_wrote_and_all_of_it_is_kept(database):
    """A look waits for what was sent before it; what comes after the last look is sent with the commit."""
    before = await ids(database)
    assert await database.write(inserting("p1", "p2"), prepared=True) == sorted([*before, "p1", "p2"])
    await database.write(lambda connection: INSERT.run_many(connection, [a_row("p3"), a_row("p4")]), prepared=True)
    assert await ids(database) == sorted([*before, "p1", "p2", "p3", "p4"])


async def test_nothing_is_kept_of_a_unit_that_fails(database):
    """Whether it raises itself, at a look, or where nobody waited for the answer; and the next one goes through."""
    before = await ids(database)
    await database.write(inserting("q1"), prepared=True)
    with pytest.raises(ValueError, match="not like this"):
        await database.write(inserting("q2", then=refuse), prepared=True)
    with pytest.raises(IntegrityError):
        await database.write(inserting("q3", "q1"), prepared=True)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: [INSERT.run(connection, **a_row(name)) for name in ("q4", "q1")], prepared=True)
    for _ in range(50):  # whether the driver hears of it before, with or after what follows it
        with pytest.raises(IntegrityError):
            await database.write(inserting("q3", "q1", "q4", "q4"), prepared=True)
    await database.write(inserting("q5"), prepared=True)
    assert await ids(database) == sorted([*before, "q1", "q5"])


async def test_unit_is_sent_again_over_another_connection_if_its_own_was_cut_meanwhile():
    """PostgreSQL ends an idle connection: nothing had been said on it, so nobody need hear of it."""
    with fresh_postgresql() as url:
        database = Database(url)
        migrate(database)
        try:
            mine = await database.write(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))
            await database.read(lambda connection: connection.execute(text(f"SELECT pg_terminate_backend({mine}, 60000)")).all())
            assert await database.write(inserting("r1"), prepared=True) == ["r1"]
            with pytest.raises(RuntimeError, match="swallowed"):
                await database.write(swallowing, prepared=True)
            assert await ids(database) == ["r1"]
        finally:
            await database.close()


def swallowing(connection):
    """A unit that makes nothing of an error that undid it."""
    with pytest.raises(IntegrityError):
        inserting("r2", "r1")(connection)
