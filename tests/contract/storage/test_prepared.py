"""Statements prepared once do what they would do otherwise, on every database."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import IntegrityError

from gateway.storage.dispatches import dispatches
from gateway.storage.prepared import Prepared, PreparedFor, prepared_insert

pytestmark = pytest.mark.anyio

INSERT = prepared_insert(dispatches, without={"ord"})
BY_ID = PreparedFor(lambda ids: select(dispatches.c.id).where(dispatches.c.id.in_(ids)).order_by(dispatches.c.id))
UNTAKEN = Prepared(select(dispatches.c.id).where(dispatches.c.workflow_id == bindparam("of"), dispatches.c.taken.is_(False)))


def a_row(id, **rest):
    """One that nothing depends on."""
    row = {"id": id, "workflow_id": "w", "workflow_type": None, "input": "é % ' \" null", "signal": None, "payload": "1", "start_key": None}
    return {**row, "delay_ms": 0, "created_at": 1_795_000_000_123, "taken": False, **rest}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 64])
async def test_any_number_of_keys_finds_what_has_them(database, count):
    """Those that fill up to the next size find nothing twice."""
    with database.transaction() as connection:
        INSERT.run_many(connection, [a_row(f"{number:03}") for number in range(count + 3)])
        wanted = [f"{number:03}" for number in range(count)]
        assert [row.id for row in BY_ID.run(connection, wanted)] == wanted
        connection.rollback()


async def test_values_come_back_as_they_were(database):
    """Quotes, percent signs, empty values and truth values pass every driver."""
    with database.transaction() as connection:
        INSERT.run_many(connection, [a_row("a"), a_row("b", taken=True)])
        [row] = connection.execute(select(dispatches).where(dispatches.c.id == "a"))
        assert (row.input, row.signal, row.created_at, row.taken) == ("é % ' \" null", None, 1_795_000_000_123, False)
        assert [row.id for row in UNTAKEN.run(connection, of="w")] == ["a"]
        assert connection.scalar(text("SELECT count(*) FROM dispatch")) == 2
        connection.rollback()


@pytest.mark.parametrize("count", [2, 7, 300])
async def test_many_rows_are_inserted_in_their_order(database, count):
    """By an old SQLite too, which took no more than 999 values in a statement."""
    with database.transaction() as connection:
        if database.dialect == "sqlite":
            connection.connection.driver_connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        ids = [f"{number * 7919 % count:03}-{number}" for number in range(count)]
        INSERT.run_many(connection, [a_row(id, payload=str(number)) for number, id in enumerate(ids)])
        found = connection.execute(select(dispatches.c.id, dispatches.c.payload).order_by(dispatches.c.ord)).all()
        assert [tuple(row) for row in found] == [(id, str(number)) for number, id in enumerate(ids)]
        connection.rollback()


async def test_no_rows_is_no_statement(database):
    """A driver would complain."""
    with database.transaction() as connection:
        INSERT.run_many(connection, [])


async def test_what_is_found_and_how_much_changed_is_told(database):
    """Rows come in the statement's columns, and a count says whether there was anything to insert."""
    with database.transaction() as connection:
        assert INSERT.changed(connection, **a_row("a")) == 1
        assert [tuple(row) for row in UNTAKEN.run(connection, of="w")] == [("a",)]
        assert list(UNTAKEN.run(connection, of="nobody")) == []
        connection.rollback()


async def test_a_refusal_of_the_database_is_sqlalchemys(database):
    """Whoever watches for a key that is there already need not know which driver was asked."""
    with database.transaction() as connection:
        INSERT.changed(connection, **a_row("a"))
        with pytest.raises(IntegrityError):
            INSERT.changed(connection, **a_row("a"))
        connection.rollback()
