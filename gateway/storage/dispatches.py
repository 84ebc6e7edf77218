"""The outbox between storage and the durable core: written in the caller's transaction, taken by the core exactly once.

Taken rows stay as tombstones for a while, so that an id written again later still changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence as Ordered
from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Table, delete, false, select, true, update

from gateway.domain.dispatch import Dispatch
from gateway.storage.columns import ExactName, LongText, Milliseconds, Sequence, metadata

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


def write_dispatches(connection: Connection, batch: Ordered[Dispatch], *, now_ms: int) -> None:
    """Write those whose id is new; the others change nothing."""
    if not batch:
        return
    by_id = {dispatch.id: dispatch for dispatch in batch}
    known = set(connection.scalars(select(dispatches.c.id).where(dispatches.c.id.in_(by_id))))
    rows = [_row(dispatch, now_ms) for id, dispatch in by_id.items() if id not in known]
    if rows:
        connection.execute(dispatches.insert(), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDispatch:
    """A `Dispatch` as written: input and payload are JSON text."""

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
    waiting = select(dispatches).where(dispatches.c.taken == false()).order_by(dispatches.c.ord).limit(limit).with_for_update()
    rows = connection.execute(waiting).all()
    if rows:
        connection.execute(update(dispatches).where(dispatches.c.ord.in_([row.ord for row in rows])).values(taken=True))
    return [
        WrittenDispatch(
            workflow_id=row.workflow_id,
            workflow_type=row.workflow_type,
            input=row.input,
            signal=row.signal,
            payload=row.payload,
            start_key=row.start_key,
            delay_ms=row.delay_ms,
        )
        for row in rows
    ]


def has_dispatches(connection: Connection) -> bool:
    """Whether any waits to be taken."""
    return connection.scalar(select(dispatches.c.ord).where(dispatches.c.taken == false()).limit(1)) is not None


def forget_dispatches(connection: Connection, *, before_ms: int, limit: int) -> int:
    """Drop the tombstones of those written before; how many. An id dropped here would be new if written again."""
    old = select(dispatches.c.ord).where(dispatches.c.taken == true(), dispatches.c.created_at < before_ms).limit(limit)
    ords = list(connection.scalars(old))
    if ords:
        connection.execute(delete(dispatches).where(dispatches.c.ord.in_(ords)))
    return len(ords)


def _row(dispatch: Dispatch, now_ms: int) -> dict[str, object]:
    return {
        "id": dispatch.id,
        "workflow_id": dispatch.workflow_id,
        "workflow_type": dispatch.workflow_type,
        "input": json.dumps(dispatch.input),
        "signal": dispatch.signal,
        "payload": json.dumps(dispatch.payload),
        "start_key": dispatch.start_key,
        "delay_ms": round(dispatch.delay * 1000),
        "created_at": now_ms,
        "taken": False,
    }
