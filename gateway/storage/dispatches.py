"""The outbox between storage and the durable core: written in the caller's transaction, taken by the core exactly once.

Taken rows stay as tombstones for a while, so that an id written again later still changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Ordered
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Table, bindparam, delete, false, select, true, update

from gateway.domain.dispatch import Dispatch
from gateway.domain.payload import encoded
from gateway.storage.columns import ExactName, LongText, Milliseconds, Sequence, metadata
from gateway.storage.prepared import Prepared, PreparedFor, prepared_insert
from gateway.storage.writer import note_outbox

dispatches = Table(
    "dispatch",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("id", ExactName, nullable=False, unique=True),
    Column("workflow_id", ExactName, nullable=False),
    Column("workflow_type", ExactName),
    Column("input", LongText, nullable=False),
    Column("signal", ExactName),
    Column("payload", LongText, nullable=False),
    Column("start_key", ExactName),
    Column("delay_ms", BigInteger, nullable=False),
    Column("created_at", Milliseconds, nullable=False),
    Column("taken", Boolean, nullable=False),
    Index(None, "taken", "ord"),
)


_KNOWN = PreparedFor(lambda ids: select(dispatches.c.id).where(dispatches.c.id.in_(ids)))
_INSERT = prepared_insert(dispatches, without={"ord"})
_WAITING = Prepared(
    select(dispatches).where(dispatches.c.taken == false()).order_by(dispatches.c.ord).limit(bindparam("limit")).with_for_update()
)
_ANY = Prepared(select(dispatches.c.ord).where(dispatches.c.taken == false()).limit(1))
_TAKE = PreparedFor(lambda ords: update(dispatches).where(dispatches.c.ord.in_(ords)).values(taken=true()))


def write_dispatches(connection: Connection, batch: Ordered[Dispatch], *, now_ms: int) -> None:
    """Write those whose id is new; the others change nothing. Raises PayloadTooLarge, having written none.

    Once they are committed, whoever listens to the database is told (`Database.listen`).
    """
    if new := _new(connection, batch, now_ms):
        _INSERT.run_many(connection, new)
        note_outbox(connection)


def write_taken_dispatches(
    connection: Connection, batch: Ordered[Dispatch], *, now_ms: int, all_new: bool = False
) -> list[WrittenDispatch]:
    """Write those whose id is new as taken already: they are the caller's to act on in this same transaction.

    all_new: the caller has looked, and their ids differ.
    """
    rows = [_row(dispatch, now_ms) for dispatch in batch] if all_new else _new(connection, batch, now_ms)
    _INSERT.run_many(connection, [{**row, "taken": True} for row in rows])
    return [_written(row) for row in rows]


def _new(connection: Connection, batch: Ordered[Dispatch], now_ms: int) -> list[dict[str, Any]]:
    if not batch:
        return []
    by_id = {dispatch.id: dispatch for dispatch in batch}
    known = {row[0] for row in _KNOWN.run(connection, list(by_id))}
    return [_row(dispatch, now_ms) for id, dispatch in by_id.items() if id not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDispatch:
    """A `Dispatch` as written: input and payload are JSON text."""

    id: str
    workflow_id: str
    workflow_type: str | None
    input: str
    signal: str | None
    payload: str
    start_key: str | None
    delay_ms: int


def take_dispatches(connection: Connection, *, limit: int) -> list[WrittenDispatch]:
    """Those not yet taken, oldest first, marked as taken: they are the caller's to act on in this same transaction.

    The rows are locked as they are read, so a second process waits here and then finds them taken.
    """
    rows = _WAITING.run(connection, limit=limit)
    if rows:
        _TAKE.run(connection, [row.ord for row in rows])
    return [_written(row._asdict()) for row in rows]


def _written(row: Mapping[str, Any]) -> WrittenDispatch:
    return WrittenDispatch(
        id=row["id"],
        workflow_id=row["workflow_id"],
        workflow_type=row["workflow_type"],
        input=row["input"],
        signal=row["signal"],
        payload=row["payload"],
        start_key=row["start_key"],
        delay_ms=row["delay_ms"],
    )


def has_dispatches(connection: Connection) -> bool:
    """Whether any waits to be taken."""
    return bool(_ANY.run(connection))


def forget_dispatches(connection: Connection, *, before_ms: int, limit: int) -> int:
    """Drop the tombstones of those written before; how many. An id dropped here would be new if written again."""
    old = select(dispatches.c.ord).where(dispatches.c.taken == true(), dispatches.c.created_at < before_ms).limit(limit)
    ords = list(connection.scalars(old))
    if ords:
        connection.execute(delete(dispatches).where(dispatches.c.ord.in_(ords)))
    return len(ords)


def _row(dispatch: Dispatch, now_ms: int) -> dict[str, Any]:
    return {
        "id": dispatch.id,
        "workflow_id": dispatch.workflow_id,
        "workflow_type": dispatch.workflow_type,
        "input": encoded(dispatch.input, "the input"),
        "signal": dispatch.signal,
        "payload": encoded(dispatch.payload, "the signal's payload"),
        "start_key": dispatch.start_key,
        "delay_ms": round(dispatch.delay * 1000),
        "created_at": now_ms,
        "taken": False,
    }
