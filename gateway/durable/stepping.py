"""What a run does next that needs no outside effect: consume signals, let timers fire, obey an operator. Pure.

Signals go to waits in the order of arrival, before any wait is given up for its time. Whoever runs a workflow calls
`step` until nothing changes, with the time and what stands in the inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.durable.commands import AwaitSignal, RunActivity, StartTimer, schedule_document, schedule_from_document
from gateway.durable.execution import Execution, Pending
from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One entry of a run's inbox. `control`: an operator's order rather than a signal. `starts`: type and input (as JSON
    text) of the run to start for this signal if it is left over."""

    ord: int
    name: str
    payload: Json
    control: bool = False
    starts: tuple[str, str] | None = None


def step(execution: Execution, inbox: Sequence[Received], at: datetime) -> list[Received]:
    """Go on as far as the inbox and the clock allow; what of the inbox was used up."""
    used: list[Received] = []
    waiting = list(inbox)
    while execution.ending is None:
        entry = next((entry for entry in waiting if _take(execution, entry, at)), None)
        if entry is not None:
            waiting.remove(entry)
            used.append(entry)
        elif not _expire(execution, at):
            break
    used += [entry for entry in waiting if entry.control and execution.ending is not None]
    return used


def _take(execution: Execution, entry: Received, at: datetime) -> bool:
    if entry.control:
        _obey(execution, entry, at)
        return True
    for pending in execution.pending.values():
        if isinstance(pending.command, AwaitSignal) and pending.command.accepts(entry.name):
            execution.record("SignalConsumed", {"command": pending.id, "name": entry.name, "payload": entry.payload}, at)
            return True
    return False


def _expire(execution: Execution, at: datetime) -> bool:
    due = [p for p in execution.pending.values() if isinstance(p.command, StartTimer | AwaitSignal) and p.due is not None and p.due <= at]
    if not due:
        return False
    first = min(due, key=lambda pending: pending.due or at)
    kind = "TimerFired" if isinstance(first.command, StartTimer) else "WaitTimedOut"
    execution.record(kind, {"command": first.id}, at)
    return True


def wake_at(execution: Execution) -> datetime | None:
    """When the run goes on by itself."""
    return min((p.due for p in execution.pending.values() if p.due is not None and not p.underway), default=None)


def last_problem(execution: Execution) -> str | None:
    """What failed of that which waits for another attempt; of several, what is tried first."""
    waiting = [p for p in execution.pending.values() if p.problem is not None and p.due is not None and not p.underway]
    return min(waiting, key=lambda pending: pending.due or execution.now).problem if waiting else None


def due_activities(execution: Execution, at: datetime) -> list[Pending]:
    """Activities whose next attempt may start."""
    activities = (pending for pending in execution.pending.values() if isinstance(pending.command, RunActivity))
    return [pending for pending in activities if not pending.underway and pending.due is not None and pending.due <= at]


def underway(execution: Execution) -> list[Pending]:
    """Activities of which an attempt has been started."""
    return [pending for pending in execution.pending.values() if pending.underway]


# --- an operator's orders ---------------------------------------------------------------


def _obey(execution: Execution, order: Received, at: datetime) -> None:
    details: Any = order.payload
    by = ordered_by(order)
    if order.name == "cancel":
        execution.record("CancelRequested", {"by": by}, at)
        return
    wanted = details.get("activity")
    for pending in list(execution.pending.values()):
        command = pending.command
        if not isinstance(command, RunActivity) or (wanted is not None and command.name != wanted):
            continue
        if pending.underway and order.name == "retry":
            continue  # there is nothing to hurry
        match order.name:
            case "retry":
                execution.record("RetryRequested", {"command": pending.id, "by": by}, at)
            case "give_up":
                failed = {
                    "activity": command.name,
                    "kind": "GivenUp",
                    "message": f"{by} gave up",
                    "permanent": True,
                    "attempts": pending.failures,
                }
                execution.record("ActivityFailed", {"command": pending.id, **failed}, at)
            case "reschedule":
                schedule = schedule_document(schedule_from_document(details["schedule"]))
                changed = {"command": pending.id, "by": by, "schedule": schedule, "next_at": at.isoformat()}
                execution.record("ScheduleChanged", changed, at)


def ordered_by(order: Received) -> str:
    """Who gave the order."""
    return str(order.payload.get("by", "an operator")) if isinstance(order.payload, dict) else "an operator"
