"""Pages of the record, newest first: each filter walks an index, a page starts where the last one ended."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, or_, select

from gateway.storage.columns import to_ms
from gateway.storage.cursor import read_cursor, write_cursor
from gateway.storage.keys import change_key, is_name, repository_key
from gateway.storage.port import DecisionFilter, DecisionPage
from gateway.storage.sql.decisions import decision_of
from gateway.storage.sql.tables import decisions

_NUMBER_LIMIT = 2**63


def list_decisions(connection: Connection, filter: DecisionFilter, *, limit: int, cursor: str | None) -> DecisionPage:
    """At most `limit`, and a cursor if there are more. Raises ValueError for a cursor nobody gave out."""
    # one more than asked for tells whether anything follows
    rows = connection.execute(page_query(filter, limit=limit + 1, cursor=cursor)).all()
    shown = rows[:limit]
    more = len(rows) > limit
    return DecisionPage(
        decisions=tuple(decision_of(row.document, row.confirmed_at) for row in shown),
        cursor=write_cursor(shown[-1].at, shown[-1].ord) if more and shown else None,
    )


def page_query(filter: DecisionFilter, *, limit: int, cursor: str | None) -> Select[Any]:
    """The query of one page."""
    c = decisions.c
    query = select(c.document, c.confirmed_at, c.at, c.ord).where(*_conditions(filter))
    if cursor is not None:
        at, order = read_cursor(cursor)
        query = query.where(c.at <= at, or_(c.at < at, and_(c.at == at, c.ord < order)))
    return query.order_by(c.at.desc(), c.ord.desc()).limit(limit)


def _conditions(filter: DecisionFilter) -> list[ColumnElement[bool]]:
    c = decisions.c
    found: list[ColumnElement[bool]] = []
    if filter.connection is not None and filter.repository is not None and filter.number is not None:
        found.append(c.change_key == change_key(filter.connection, filter.repository, filter.number))
    else:
        if filter.connection is not None:
            found.append(c.connection == filter.connection if is_name(filter.connection) else false())
        if filter.repository is not None:
            found.append(c.repository_key == repository_key(filter.repository))
        if filter.number is not None:
            found.append(c.number == filter.number if -_NUMBER_LIMIT <= filter.number < _NUMBER_LIMIT else false())
    if filter.outcome is not None:
        found.append(c.outcome == filter.outcome.value)
    if filter.since is not None:
        found.append(c.at >= to_ms(filter.since))
    if filter.until is not None:
        found.append(c.at < to_ms(filter.until))
    return found
