"""Runs that failed: listed, brought back to life, or put away. Units of work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.durable.letters import KINDS, letter_from
from gateway.durable.payloads import encoded
from gateway.durable.port import DeadLetter, HistoryEvent, NotDead, UnknownWorkflow, WorkflowRun, WorkflowStatus
from gateway.durable.revival import effective, undone
from gateway.durable.sql.inbox import put_in_inboxes
from gateway.durable.sql.reading import find_history, run_from
from gateway.durable.sql.recording import event_from, event_row
from gateway.durable.sql.tables import events, runs
from gateway.storage.columns import to_ms


def list_letters(connection: Connection, type: str | None, limit: int) -> list[DeadLetter]:
    """Newest first."""
    wanted = (
        select(runs).where(runs.c.status == WorkflowStatus.FAILED.value).order_by(runs.c.ended_at.desc(), runs.c.ord.desc()).limit(limit)
    )
    if type is not None:
        wanted = wanted.where(runs.c.type == type)
    return _letters(connection, [run_from(row) for row in connection.execute(wanted)])


def find_letter(connection: Connection, workflow_id: str, run_id: str | None) -> DeadLetter:
    """The newest of the id, or of this run. Raises UnknownWorkflow."""
    run = _find(connection, workflow_id, run_id)
    if run is None:
        raise UnknownWorkflow(f"no dead letter of workflow '{workflow_id}'" + (f", run '{run_id}'" if run_id else ""))
    return _letters(connection, [run])[0]


def revive(connection: Connection, workflow_id: str, run_id: str | None, by: str, at: datetime) -> str:
    """Append the revival and make the run ready; its id. What was said to it and is undone lies in its inbox again."""
    run, history = _dead(connection, workflow_id, run_id)
    failure: Any = next(event for event in reversed(history) if event.kind == "WorkflowFailed")
    commands: list[str] = failure.attributes["commands"]
    again = [event for event in effective(history) if undone(event, commands) and event.kind in {"SignalConsumed", "SignalDropped"}]
    _append(connection, run, history, "Revived", {"commands": list(commands), "by": by}, at)
    alive = {"status": WorkflowStatus.READY.value, "live": run.workflow_id, "wake_at": to_ms(at), "ended_at": None, "error": None}
    connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**alive))
    put_in_inboxes(connection, [_entry(run.run_id, event) for event in again], to_ms(at))
    return run.run_id


def discard(connection: Connection, workflow_id: str, run_id: str | None, by: str, at: datetime) -> None:
    """Append that it was put away, and by whom."""
    run, history = _dead(connection, workflow_id, run_id)
    _append(connection, run, history, "Discarded", {"by": by}, at)
    connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(status=WorkflowStatus.CANCELLED.value))


def _dead(connection: Connection, workflow_id: str, run_id: str | None) -> tuple[WorkflowRun, list[HistoryEvent]]:
    """The failed run, locked, and nothing newer of its id going. Raises NotDead, UnknownWorkflow."""
    run = _find(connection, workflow_id, run_id)
    if run is None:
        found, _ = find_history(connection, workflow_id, run_id)
        raise NotDead(f"run '{found.run_id}' of workflow '{workflow_id}' is {found.status}, not failed")
    locked = select(runs.c.status).where(runs.c.run_id == run.run_id).with_for_update()
    if connection.scalar(locked) != WorkflowStatus.FAILED.value:
        raise NotDead(f"run '{run.run_id}' of workflow '{workflow_id}' is not failed any more")
    going = connection.scalar(select(runs.c.run_id).where(runs.c.live == workflow_id))
    if going is not None:
        raise NotDead(f"a newer run of workflow '{workflow_id}' is going on: '{going}'")
    return find_history(connection, workflow_id, run.run_id)


def _find(connection: Connection, workflow_id: str, run_id: str | None) -> WorkflowRun | None:
    wanted = select(runs).where(runs.c.workflow_id == workflow_id, runs.c.status == WorkflowStatus.FAILED.value)
    if run_id is not None:
        wanted = wanted.where(runs.c.run_id == run_id)
    row = connection.execute(wanted.order_by(runs.c.ord.desc()).limit(1)).first()
    return None if row is None else run_from(row)


def _letters(connection: Connection, failed: Sequence[WorkflowRun]) -> list[DeadLetter]:
    histories: dict[str, list[HistoryEvent]] = defaultdict(list)
    wanted = select(events).where(events.c.run_id.in_([run.run_id for run in failed]), events.c.kind.in_(KINDS))
    for row in connection.execute(wanted.order_by(events.c.run_id, events.c.sequence)):
        histories[row.run_id].append(event_from(row))
    return [letter_from(run, histories[run.run_id]) for run in failed]


def _append(
    connection: Connection, run: WorkflowRun, history: Sequence[HistoryEvent], kind: str, attributes: dict[str, Any], at: datetime
) -> None:
    last = history[-1]
    event = HistoryEvent(sequence=last.sequence + 1, at=max(at, last.at), kind=kind, attributes=attributes)
    connection.execute(events.insert(), [event_row(run.run_id, event)])


def _entry(run_id: str, event: HistoryEvent) -> dict[str, object]:
    payload = encoded(event.attributes["payload"], "the signal's payload")
    return {
        "run_id": run_id,
        "name": event.attributes["name"],
        "payload": payload,
        "control": False,
        "start_type": None,
        "start_input": None,
    }
