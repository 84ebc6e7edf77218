"""Statements whose text is made once for each database, for the few that run thousands of times a second.

Building and compiling a Core statement costs several times what SQLite needs to carry it out, and so does what SQLAlchemy
does around a cursor. Here a statement is written in Core all the same, compiled at its first use, and from then on handed
to the driver as text with its parameters. Only plain numbers and strings pass: no type of SQLAlchemy's looks at them on
the way in or out. What the driver complains of is raised as SQLAlchemy would raise it.

Only what selects waits for an answer. A unit of nothing but these statements may therefore be sent in one go
(`gateway.storage.pipelined`).
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, Executable, Select, Table, bindparam

from gateway.storage.faults import as_raised

_VALUES = 999
"""Of one statement at most: what SQLite took until 3.32, which long-lived systems still have."""
_FEW = 8
"""Rows that are inserted by one statement, whatever their number; more by one for each power of two in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """names: of its parameters in their order (None: by name). fixed: the values it was written with. row: makes a row of
    what it selects (None: it selects nothing)."""

    text: str
    names: tuple[str, ...] | None
    fixed: Mapping[str, Any]
    row: Callable[[Sequence[Any]], Any] | None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        if self.names is None:
            return {**self.fixed, **values} if self.fixed else values
        if not self.fixed:
            return tuple([values[name] for name in self.names])
        return tuple([values[name] if name in values else self.fixed[name] for name in self.names])


class Prepared:
    """One statement; its open values are `bindparam`s."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: Connection, /, **values: Any) -> list[Any]:
        """Once, with these values: the rows it selects, each a tuple with names; nothing of a statement that writes."""
        ready = self._for(connection)
        cursor = _cursor(connection)
        try:
            cursor.execute(ready.text, ready.parameters(values))
            return [] if ready.row is None else [ready.row(found) for found in cursor.fetchall()]
        except Exception as problem:
            raise as_raised(connection, ready.text, problem) from problem

    def changed(self, connection: Connection, /, **values: Any) -> int:
        """Once, with these values: how many rows that changed. Not in a unit that is sent in one go: there nobody waits for a count."""
        ready = self._for(connection)
        cursor = _cursor(connection)
        try:
            cursor.execute(ready.text, ready.parameters(values))
            return int(cursor.rowcount)
        except Exception as problem:
            raise as_raised(connection, ready.text, problem) from problem

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """For each row, in order; none: nothing happens."""
        if len(rows) == 1:
            self.run(connection, **rows[0])
        elif rows:
            ready = self._for(connection)
            cursor = _cursor(connection)
            try:
                cursor.executemany(ready.text, [ready.parameters(row) for row in rows])
            except Exception as problem:
                raise as_raised(connection, ready.text, problem) from problem

    def _for(self, connection: Connection) -> _Ready:
        dialect = connection.dialect
        known = self._ready.get(dialect.name)
        if known is None:
            compiled: Any = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            names = tuple(compiled.positiontup) if compiled.positional else None
            fixed = {name: compiled.params[name] for bound, name in compiled.bind_names.items() if not bound.required}
            known = self._ready[dialect.name] = _Ready(text=str(compiled), names=names, fixed=fixed, row=_row_of(self._statement))
        return known


def _cursor(connection: Connection) -> Any:
    """The driver's, in the transaction that is open; if none is, in one that begins."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.cursor()


def _row_of(statement: Executable) -> Callable[[Sequence[Any]], Any] | None:
    if not isinstance(statement, Select):
        return None
    names = [str(getattr(column, "name", "")) for column in statement.selected_columns]
    named: Any = namedtuple
    row = named("Row", names, rename=True)
    make: Callable[[Sequence[Any]], Any] = row._make
    return make


def tell(connection: Connection, text: str) -> None:
    """One statement without values that answers nothing, such as those around a transaction. It begins none itself."""
    try:
        connection.connection.cursor().execute(text)
    except Exception as problem:
        raise as_raised(connection, text, problem) from problem


class PreparedInsert(Prepared):
    """The insertion of rows of a table."""

    def run_many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """As any statement's. SQLite is given several rows in one statement: between two, another thread takes the interpreter."""
        if len(rows) < 2 or connection.dialect.name != "sqlite":
            super().run_many(connection, rows)
            return
        ready = self._for(connection)
        start, most = 0, max(1, _VALUES // len(ready.parameters(rows[0])))
        while start < len(rows):
            size = min(len(rows) - start, most)
            if size > _FEW:  # or there would be a statement for each number there is
                size = 1 << (size.bit_length() - 1)
            values = [value for row in rows[start : start + size] for value in ready.parameters(row)]
            text = _of_rows(ready.text, size)
            try:
                _cursor(connection).execute(text, values)
            except Exception as problem:
                raise as_raised(connection, text, problem) from problem
            start += size


@functools.cache
def _of_rows(text: str, size: int) -> str:
    """The insertion of one row as one of several: what stands in the last brackets, again and again."""
    start, end = text.rindex("("), text.rindex(")") + 1
    return ", ".join([text[:end], *[text[start:end]] * (size - 1)]) + text[end:]


def prepared_insert(table: Table, *, without: Collection[str] = ()) -> PreparedInsert:
    """The insertion of a row with all its columns but those the database fills in."""
    columns = [column.name for column in table.columns if column.name not in without]
    return PreparedInsert(table.insert().values({name: bindparam(name) for name in columns}))


class PreparedFor:
    """A statement about some keys (`column IN …`), prepared for 1, 2, 4, 8 … of them; the last key fills up what is over."""

    def __init__(self, statement: Callable[[Sequence[BindParameter[Any]]], Executable]) -> None:
        self._make = statement
        self._sizes: dict[int, Prepared] = {}

    def run(self, connection: Connection, keys: Sequence[Any], **values: Any) -> list[Any]:
        """Once, for these keys (at least one)."""
        size = 1 << (len(keys) - 1).bit_length()
        prepared = self._sizes.get(size)
        if prepared is None:
            prepared = self._sizes[size] = Prepared(self._make([bindparam(f"key{place}") for place in range(size)]))
        named = {f"key{place}": keys[min(place, len(keys) - 1)] for place in range(size)}
        return prepared.run(connection, **named, **values)
