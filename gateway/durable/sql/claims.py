"""Which runs this process takes, and how it takes over those of a process that died.

A claim is a guarded write: of what two processes want, one gets it. What is due comes before what is late, in the
order it fell due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, and_, bindparam, func, select, update

from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.inbox import read_inboxes
from gateway.durable.sql.recording import event_from
from gateway.durable.sql.tables import events, runs
from gateway.durable.stepping import Received
from gateway.storage.prepared import Prepared, PreparedFor

_WAITING = (WorkflowStatus.READY.value, WorkflowStatus.PARKED.value)
DUE = and_(runs.c.status.in_([bindparam(status, status) for status in _WAITING]), runs.c.wake_at <= bindparam("now"))
"""Runs that anybody may take at the moment `now`."""


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


_DUE_ROWS = Prepared(select(runs.c.run_id).where(DUE).order_by(runs.c.wake_at, runs.c.ord).limit(bindparam("limit")))
_STILL_DUE = PreparedFor(
    lambda ids: (
        select(runs.c.run_id, runs.c.workflow_id, runs.c.type).where(runs.c.run_id.in_(ids), DUE).order_by(runs.c.run_id).with_for_update()
    )
)
_CLAIM = PreparedFor(
    lambda ids: (
        update(runs)
        .where(runs.c.run_id.in_(ids))
        .values(owner=bindparam("me"), status=WorkflowStatus.RUNNING.value, wake_at=None, error=None)
    )
)


def claim(connection: Connection, owner: str, now_ms: int, limit: int) -> list[Key]:
    """Take up to `limit` due runs."""
    wanted = [row[0] for row in _DUE_ROWS.run(connection, now=now_ms, limit=limit)]
    if not wanted:
        return []
    mine = [(row.run_id, row.workflow_id, row.type) for row in _STILL_DUE.run(connection, wanted, now=now_ms)]
    if mine:
        _CLAIM.run(connection, [run_id for run_id, _, _ in mine], me=owner)
    return mine


_HISTORIES = PreparedFor(lambda ids: select(events).where(events.c.run_id.in_(ids)).order_by(events.c.run_id, events.c.sequence))


def load(connection: Connection, claimed: Sequence[Key]) -> list[Claimed]:
    """Read what the claimed runs need; nobody else can write their histories."""
    ids = [run_id for run_id, _, _ in claimed]
    inboxes = read_inboxes(connection, ids)
    histories: dict[str, list[HistoryEvent]] = defaultdict(list)
    for row in _HISTORIES.run(connection, ids):
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


_COUNTERS = Prepared(select(runs.c.run_id, runs.c.signals).where(runs.c.owner == bindparam("me")))
_NEXT_WAKE = Prepared(select(func.min(runs.c.wake_at)).where(runs.c.status == bindparam("status")))


def counters(connection: Connection, owner: str) -> dict[str, int]:
    """The inbox counters of the runs that are ours."""
    return dict(_COUNTERS.run(connection, me=owner))


def next_wake(connection: Connection) -> int | None:
    """When the next waiting run falls due, in milliseconds."""
    each = (_NEXT_WAKE.run(connection, status=status) for status in _WAITING)
    return min((wake_at for [(wake_at,)] in each if wake_at is not None), default=None)


def backlog(connection: Connection, now_ms: int, limit: int) -> int:
    """How many runs are due and taken by nobody, counted up to the limit."""
    due = select(runs.c.run_id).where(DUE).limit(limit).subquery()
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
