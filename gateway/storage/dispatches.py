"""The outbox between storage and the durable core: written in the caller's transaction, taken by the core exactly once.

Taken rows stay as tombstones for a while, so that an id written again later still changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence as Ordered

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Table, select

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
