"""Statements whose text is made once for each database, for the few that run thousands of times a second.

Building and compiling a Core statement costs several times what SQLite needs to carry it out. Here it is written in Core
all the same, compiled at its first use, and from then on handed to the driver as text with its parameters. Only plain
numbers and strings pass: no type of SQLAlchemy's looks at them on the way in or out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Connection, CursorResult, Executable, Table, bindparam

Rows: TypeAlias = CursorResult[*tuple[Any, ...]]
Compiled: TypeAlias = tuple[str, tuple[str, ...] | None, Mapping[str, Any]]
"""The text, the names of its parameters in their order (None: by name), and the values it was written with."""


class Prepared:
    """One statement; its open values are `bindparam`s."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> Rows:
        """Once, with these values."""
        text, names, fixed = self._for(connection)
        return connection.exec_driver_sql(text, _parameters(names, fixed, values))

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """For each row, in order; none: nothing happens."""
        if len(rows) == 1:
            self.run(connection, **rows[0])
        elif rows:
            text, names, fixed = self._for(connection)
            connection.exec_driver_sql(text, [_parameters(names, fixed, row) for row in rows])

    def _for(self, connection: Connection) -> Compiled:
        dialect = connection.dialect
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled: Any = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            names = tuple(compiled.positiontup) if compiled.positional else None
            known = self._compiled[dialect.name] = (str(compiled), names, dict(compiled.params))
        return known


def prepared_insert(table: Table, *, without: Collection[str] = ()) -> Prepared:
    """The insertion of a row with all its columns but those the database fills in."""
    return Prepared(table.insert().values({column.name: bindparam(column.name) for column in table.columns if column.name not in without}))


class PreparedFor:
    """A statement about some keys (`column IN …`), prepared for 1, 2, 4, 8 … of them; the last key fills up what is over."""

    def __init__(self, statement: Callable[[Sequence[BindParameter[Any]]], Executable]) -> None:
        self._make = statement
        self._sizes: dict[int, Prepared] = {}

    def run(self, connection: Connection, keys: Sequence[Any], **values: Any) -> Rows:
        """Once, for these keys (at least one)."""
        size = 1 << (len(keys) - 1).bit_length()
        prepared = self._sizes.get(size)
        if prepared is None:
            prepared = self._sizes[size] = Prepared(self._make([bindparam(f"key{place}") for place in range(size)]))
        named = {f"key{place}": keys[min(place, len(keys) - 1)] for place in range(size)}
        return prepared.run(connection, **named, **values)


def _parameters(names: tuple[str, ...] | None, fixed: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    if names is None:
        return {**fixed, **values}
    return tuple(values[name] if name in values else fixed[name] for name in names)
