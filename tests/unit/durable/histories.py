"""Histories made by running a workflow without any engine: outcomes come from a table, time from the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.durable import HistoryEvent
from gateway.durable.commands import RunActivity
from gateway.durable.execution import Execution
from gateway.durable.stepping import Received, step, underway, wake_at

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN_ID = "01957b1c-0000-7000-8000-000000000001"


def started(input=None, *, at=NOON):
    """The first event of every history."""
    attributes = {"workflow_id": "w", "run_id": RUN_ID, "type": "workflow", "continues": None, "input": input}
    return HistoryEvent(sequence=1, at=at, kind="WorkflowStarted", attributes=attributes)


def play(workflow, activities=None, *, signals=(), input=None, events=None, limit=1000):
    """Run to the end, each activity at once; the execution. Signals are all there from the beginning."""
    execution = Execution(workflow, events or [started(input)])
    execution.settle(NOON)
    inbox = [Received(ord=place, name=name, payload=payload) for place, (name, payload) in enumerate(signals)]
    at = NOON
    for _ in range(limit):
        used = step(execution, inbox, at)
        inbox = [entry for entry in inbox if entry not in used]
        if execution.ending is not None:
            return execution
        running = underway(execution)
        if running:
            answer(execution, running[0], activities or {}, at)
        else:
            due = wake_at(execution)
            if due is None:
                return execution
            at = max(at + timedelta(milliseconds=1), due)
    raise AssertionError("the workflow never ends")


def answer(execution, pending, activities, at):
    """One attempt: the table's answer, or what it raises as a refusal."""
    assert isinstance(pending.command, RunActivity)
    try:
        result = activities[pending.command.name](*pending.command.arguments)
    except Exception as problem:
        failed = {
            "activity": pending.command.name,
            "kind": type(problem).__name__,
            "message": str(problem),
            "permanent": True,
            "attempt": 1,
        }
        execution.record("ActivityFailed", {"command": pending.id, **failed}, at)
    else:
        execution.record("ActivityCompleted", {"command": pending.id, "result": result, "attempt": 1}, at)


def kinds(execution):
    """In order."""
    return [event.kind for event in execution.events]
