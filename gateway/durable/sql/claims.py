"""Which runs this process takes, and how it takes over those of a process that died.

A claim is a guarded write: of what two processes want, one gets it. What is due comes before what is late, in the
order it fell due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, and_, bindparam, func, select, update

from gateway.durable.payloads import decoded
from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.inbox import read_inboxes
from gateway.durable.sql.tables import events, runs
from gateway.durable.stepping import Received
from gateway.storage.columns import from_ms

_WAITING = (WorkflowStatus.READY.value, WorkflowStatus.PARKED.value)
_DUE = and_(runs.c.status.in_(_WAITING), runs.c.wake_at <= bindparam("now"))


Key: TypeAlias = tuple[str, str, str]
"""A run's id, its workflow's, and its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A run that is ours, with all it needs to go on."""

    run_id: str
    workflow_id: str
    type: str
    events: tuple[HistoryEvent, ...]
    seen: int
    inbox: tuple[Received, ...]


def claim(connection: Connection, owner: str, now_ms: int, limit: int) -> list[Key]:
    """Take up to `limit` due runs."""
    due = select(runs.c.run_id).where(_DUE).order_by(runs.c.wake_at, runs.c.ord).limit(limit)
    wanted = list(connection.scalars(due, {"now": now_ms}))
    if not wanted:
        return []
    locked = select(runs.c.run_id, runs.c.workflow_id, runs.c.type).where(runs.c.run_id.in_(wanted), _DUE).order_by(runs.c.run_id)
    rows = connection.execute(locked.with_for_update(), {"now": now_ms}).all()
    mine = [row.run_id for row in rows]
    if mine:
        taken = {"owner": owner, "status": WorkflowStatus.RUNNING.value, "wake_at": None, "error": None}
        connection.execute(update(runs).where(runs.c.run_id.in_(mine)).values(**taken))
    return [(row.run_id, row.workflow_id, row.type) for row in rows]


def load(connection: Connection, claimed: Sequence[Key]) -> list[Claimed]:
    """Read what the claimed runs need; nobody else can write their histories."""
    ids = [run_id for run_id, _, _ in claimed]
    inboxes = read_inboxes(connection, ids)
    histories: dict[str, list[HistoryEvent]] = defaultdict(list)
    for row in connection.execute(select(events).where(events.c.run_id.in_(ids)).order_by(events.c.run_id, events.c.sequence)):
        histories[row.run_id].append(event_from(row))
    return [
        Claimed(
            run_id=run_id,
            workflow_id=workflow_id,
            type=type,
            events=tuple(histories[run_id]),
            seen=inboxes[run_id][0],
            inbox=tuple(inboxes[run_id][1]),
        )
        for run_id, workflow_id, type in claimed
    ]


def event_from(row: Any) -> HistoryEvent:
    """As it was recorded."""
    attributes: Any = decoded(row.attributes)
    return HistoryEvent(sequence=row.sequence, at=from_ms(row.at), kind=row.kind, attributes=attributes)


def counters(connection: Connection, owner: str) -> dict[str, int]:
    """The inbox counters of the runs that are ours."""
    mine = select(runs.c.run_id, runs.c.signals).where(runs.c.owner == owner)
    return {row.run_id: row.signals for row in connection.execute(mine)}


def next_wake(connection: Connection) -> int | None:
    """When the next waiting run falls due, in milliseconds."""
    each = (connection.scalar(select(func.min(runs.c.wake_at)).where(runs.c.status == status)) for status in _WAITING)
    return min((wake_at for wake_at in each if wake_at is not None), default=None)


def backlog(connection: Connection, now_ms: int, limit: int) -> int:
    """How many runs are due and taken by nobody, counted up to the limit."""
    due = select(runs.c.run_id).where(_DUE).limit(limit).subquery()
    return connection.scalar(select(func.count()).select_from(due), {"now": now_ms}) or 0


def release(connection: Connection, owner: str, run_ids: Collection[str] | None, now_ms: int) -> int:
    """Make runs of this owner ready for anybody (None: all of them); how many."""
    held = [runs.c.owner == owner, runs.c.status == WorkflowStatus.RUNNING.value]
    if run_ids is not None:
        held.append(runs.c.run_id.in_(run_ids))
    locked = list(connection.scalars(select(runs.c.run_id).where(*held).order_by(runs.c.run_id).with_for_update()))
    if locked:
        ready = {"owner": None, "status": WorkflowStatus.READY.value, "wake_at": now_ms}
        connection.execute(update(runs).where(runs.c.run_id.in_(locked)).values(**ready))
    return len(locked)
