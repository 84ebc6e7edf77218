"""What an attempt's outcome means to its run: an event each, and when the next attempt is due."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from gateway.durable.attempts import AttemptFailed, AttemptOutcome, Succeeded
from gateway.durable.commands import RunActivity
from gateway.durable.execution import Execution, Pending
from gateway.durable.retries import next_delay

log = structlog.get_logger(__name__)

LOST_LIMIT = 10
"""Attempts that took their process down with them before the activity is taken to be the cause."""


def record_outcome(execution: Execution, pending: Pending, outcome: AttemptOutcome, at: datetime) -> None:
    """Write down what came of the attempt."""
    match outcome:
        case Succeeded(result=result):
            execution.record("ActivityCompleted", {"command": pending.id, "result": result, "attempt": attempt_number(pending)}, at)
        case AttemptFailed():
            _record_failure(execution, pending, outcome, at)


def record_lost(execution: Execution, pending: Pending, at: datetime) -> None:
    """The attempt was under way in a process that is gone; it does not count against the schedule."""
    if pending.lost < LOST_LIMIT:
        execution.record("AttemptLost", {"command": pending.id, "attempt": attempt_number(pending)}, at)
        return
    gone = AttemptFailed(kind="Lost", message=f"the process ended during each of {LOST_LIMIT + 1} attempts", permanent=True)
    _record_failure(execution, pending, gone, at)


def _record_failure(execution: Execution, pending: Pending, failed: AttemptFailed, at: datetime) -> None:
    command = pending.command
    assert isinstance(command, RunActivity)
    delay = None if failed.permanent else _delay(execution, pending, failed, at)
    what = {
        "command": pending.id,
        "activity": command.name,
        "kind": failed.kind,
        "message": failed.message,
        "attempt": attempt_number(pending),
    }
    told = {"workflow": execution.workflow_id, "activity": command.name, "kind": failed.kind, "reason": failed.message}
    log.warning("attempt failed", **told, attempt=what["attempt"], again_in=None if delay is None else round(delay, 1))
    if delay is None:
        execution.record("ActivityFailed", {**what, "permanent": failed.permanent}, at)
    else:
        next_at = (at + timedelta(seconds=delay)).isoformat()
        execution.record("AttemptFailed", {**what, "retry_after": failed.retry_after, "next_at": next_at}, at)


def _delay(execution: Execution, pending: Pending, failed: AttemptFailed, at: datetime) -> float | None:
    assert pending.schedule is not None
    since = pending.since or at
    return next_delay(
        pending.schedule,
        failures=pending.failures + 1,
        elapsed=(at - since).total_seconds(),
        retry_after=failed.retry_after,
        seed=f"{execution.run_id}/{pending.id}",
    )


def attempt_number(pending: Pending) -> int:
    """Of the attempt that comes next or is under way; counts from 1."""
    return pending.failures + pending.lost + 1
