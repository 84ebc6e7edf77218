"""How the work stands, and what is forgotten after a while. Units of work."""

from __future__ import annotations

from sqlalchemy import Connection, delete, false, func, select

from gateway.durable.port import QueueState, WorkflowStatus
from gateway.durable.sql.tables import events, inbox, runs
from gateway.storage.columns import from_ms
from gateway.storage.dispatches import dispatches, forget_dispatches

_CHUNK = 200


def queue_state(connection: Connection, now_ms: int) -> QueueState:
    """Counted over what has not ended well, so the price does not grow with what is long done."""
    states = [status.value for status in WorkflowStatus if not status.ended] + [WorkflowStatus.FAILED.value]
    counted = select(runs.c.status, func.count()).where(runs.c.status.in_(states)).group_by(runs.c.status)
    by_status: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    waiting, oldest = _overdue(connection, now_ms)
    later = select(func.count()).where(runs.c.status == WorkflowStatus.READY.value, runs.c.wake_at > now_ms)
    return QueueState(
        waiting=waiting,
        oldest_due_at=None if oldest is None else from_ms(oldest),
        running=by_status.get(WorkflowStatus.RUNNING.value, 0),
        parked=by_status.get(WorkflowStatus.PARKED.value, 0) + (connection.scalar(later) or 0),
        dead_letters=by_status.get(WorkflowStatus.FAILED.value, 0),
    )


def _overdue(connection: Connection, now_ms: int) -> tuple[int, int | None]:
    idle = (WorkflowStatus.READY.value, WorkflowStatus.PARKED.value)
    due = select(func.count(), func.min(runs.c.wake_at)).where(runs.c.status.in_(idle), runs.c.wake_at <= now_ms)
    written = select(func.count(), func.min(dispatches.c.created_at)).where(dispatches.c.taken == false())
    counts = [connection.execute(query).one() for query in (due, written)]
    return sum(count for count, _ in counts), min((oldest for _, oldest in counts if oldest is not None), default=None)


def retire(connection: Connection, before_ms: int, limit: int) -> int:
    """Forget runs that ended well or were put away before then, and the tombstones of dispatches; how many runs."""
    over = (WorkflowStatus.COMPLETED.value, WorkflowStatus.CANCELLED.value)
    old = select(runs.c.run_id).where(runs.c.status.in_(over), runs.c.ended_at < before_ms).limit(limit)
    gone = sorted(connection.scalars(old))
    for start in range(0, len(gone), _CHUNK):
        chunk = gone[start : start + _CHUNK]
        connection.execute(delete(events).where(events.c.run_id.in_(chunk)))
        connection.execute(delete(inbox).where(inbox.c.run_id.in_(chunk)))
        connection.execute(delete(runs).where(runs.c.run_id.in_(chunk)))
    forget_dispatches(connection, before_ms=before_ms, limit=limit)
    return len(gone)
