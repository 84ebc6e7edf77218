"""Insert what may be there already: each database says it in its own words.

The statements are built once: building one costs more than SQLite needs to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, row: Row) -> bool:
    """Insert the row if its keys are new, else change nothing; whether it was new.

    MySQL's IGNORE forgives what does not fit as well: only for rows whose columns hold whatever they are given.
    """
    # SQLAlchemy asks the driver for an INSERT's count only when told to
    statement = _insert_new(table, connection.dialect.name)
    return connection.execute(statement, row, execution_options={"preserve_rowcount": True}).rowcount == 1


def put(connection: Connection, table: Table, row: Row) -> None:
    """Insert the row, or replace all of what stands under its primary key."""
    connection.execute(_put(table, connection.dialect.name), row)


@functools.cache
def _insert_new(table: Table, dialect: str) -> Insert:
    match dialect:
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        case _:
            return mysql.insert(table).prefix_with("IGNORE")


@functools.cache
def _put(table: Table, dialect: str) -> Insert:
    keys = [column.name for column in table.primary_key.columns]
    others = [column.name for column in table.columns if column.name not in keys]
    match dialect:
        case "sqlite":
            lite = sqlite.insert(table)
            return lite.on_conflict_do_update(index_elements=keys, set_={name: lite.excluded[name] for name in others})
        case "postgresql":
            post = postgresql.insert(table)
            return post.on_conflict_do_update(index_elements=keys, set_={name: post.excluded[name] for name in others})
        case _:
            my = mysql.insert(table)
            return my.on_duplicate_key_update({name: my.inserted[name] for name in others})
