"""Insert what may be there already: each database says it in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose primary key is new; the others change nothing."""
    if not rows:
        return
    if connection.dialect.name in {"mysql", "mariadb"}:
        # not INSERT IGNORE, which also forgives what does not fit
        own = mysql.insert(table)
        keys = {column.name: column for column in table.primary_key.columns}
        connection.execute(own.on_duplicate_key_update(keys), list(rows))
        return
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
        return
    connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def put(connection: Connection, table: Table, row: Row) -> None:
    """Insert the row, or replace all of what stands under its primary key."""
    keys = [column.name for column in table.primary_key.columns]
    others = [name for name in row if name not in keys]
    if connection.dialect.name in {"mysql", "mariadb"}:
        own = mysql.insert(table).values(row)
        connection.execute(own.on_duplicate_key_update({name: own.inserted[name] for name in others}))
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    statement = insert.values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={name: statement.excluded[name] for name in others}))
