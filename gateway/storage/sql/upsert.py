"""Insert what may be there already: each database says it in its own words.

The statements are prepared for each set of columns: building one costs more than SQLite needs to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam
from sqlalchemy.dialects import mysql, postgresql, sqlite

from gateway.storage.prepared import Prepared, PreparedInsert

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, row: Row) -> bool:
    """Insert the row if its keys are new, else change nothing; whether it was new.

    MySQL's IGNORE forgives what does not fit as well: only for rows whose columns hold whatever they are given.
    """
    return _insert_new(table, connection.dialect.name, tuple(row)).changed(connection, **row) == 1


def insert_new_each(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """The same for rows of the same columns, whichever of them are new."""
    if rows:
        _insert_new(table, connection.dialect.name, tuple(rows[0])).run_many(connection, rows)


def put(connection: Connection, table: Table, row: Row) -> None:
    """Insert the row, or replace all of what stands under its primary key."""
    _put(table, connection.dialect.name, tuple(row)).changed(connection, **row)


@functools.cache
def _insert_new(table: Table, dialect: str, columns: tuple[str, ...]) -> PreparedInsert:
    match dialect:
        case "sqlite":
            return PreparedInsert(sqlite.insert(table).values(_open(columns)).on_conflict_do_nothing())
        case "postgresql":
            return PreparedInsert(postgresql.insert(table).values(_open(columns)).on_conflict_do_nothing())
        case _:
            return PreparedInsert(mysql.insert(table).values(_open(columns)).prefix_with("IGNORE"))


@functools.cache
def _put(table: Table, dialect: str, columns: tuple[str, ...]) -> Prepared:
    keys = [column.name for column in table.primary_key.columns]
    others = [column.name for column in table.columns if column.name not in keys]
    match dialect:
        case "sqlite":
            lite = sqlite.insert(table).values(_open(columns))
            return Prepared(lite.on_conflict_do_update(index_elements=keys, set_={name: lite.excluded[name] for name in others}))
        case "postgresql":
            post = postgresql.insert(table).values(_open(columns))
            return Prepared(post.on_conflict_do_update(index_elements=keys, set_={name: post.excluded[name] for name in others}))
        case _:
            my = mysql.insert(table).values(_open(columns))
            return Prepared(my.on_duplicate_key_update({name: my.inserted[name] for name in others}))


def _open(columns: tuple[str, ...]) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(name) for name in columns}
