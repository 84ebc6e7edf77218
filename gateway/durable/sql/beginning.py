"""How a run begins in the database: its row, its first event, and the signals that are there for it. A unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, update

from gateway.durable.payloads import attributes_text, decoded
from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.tables import events, inbox, runs
from gateway.storage.columns import from_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to begin: its row and first event. `signals`: inbox entries that go to it."""

    run_id: str
    workflow_id: str
    type: str
    input_text: str
    at_ms: int
    wake_at_ms: int
    start_key: str | None = None
    continues: str | None = None
    signals: tuple[int, ...] = ()


def begin_runs(connection: Connection, beginning: Sequence[NewRun]) -> None:
    """Insert runs that are ready to be taken, each with its first event and the signals that go to it."""
    if not beginning:
        return
    connection.execute(runs.insert(), [_run_row(new) for new in beginning])
    connection.execute(events.insert(), [_started_row(new) for new in beginning])
    for new in beginning:
        if new.signals:
            moved = update(inbox).where(inbox.c.ord.in_(new.signals))
            keep_start = {} if new.continues else {"start_type": None, "start_input": None}
            connection.execute(moved.values(run_id=new.run_id, **keep_start))


def _run_row(new: NewRun) -> dict[str, object]:
    return {
        "run_id": new.run_id,
        "workflow_id": new.workflow_id,
        "live": new.workflow_id,
        "start_key": new.start_key,
        "type": new.type,
        "status": WorkflowStatus.READY.value,
        "wake_at": new.wake_at_ms,
        "signals": len(new.signals),
        "started_at": new.at_ms,
    }


def _started_row(new: NewRun) -> dict[str, object]:
    return {"run_id": new.run_id, "sequence": 1, "at": new.at_ms, "kind": "WorkflowStarted", "attributes": _started_text(new)}


def started_event(new: NewRun) -> HistoryEvent:
    """The first event, as it is read back."""
    attributes: Any = decoded(_started_text(new))
    return HistoryEvent(sequence=1, at=from_ms(new.at_ms), kind="WorkflowStarted", attributes=attributes)


def _started_text(new: NewRun) -> str:
    names = {"workflow_id": new.workflow_id, "run_id": new.run_id, "type": new.type, "continues": new.continues}
    return attributes_text(names)[:-1] + ',"input":' + new.input_text + "}"
