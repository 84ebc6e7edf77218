"""How a run begins in the database: its row, its first event, and the signals that are there for it. A unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, update

from gateway.durable.payloads import attributes_text, decoded
from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.recording import insert_events
from gateway.durable.sql.tables import inbox, runs
from gateway.storage.columns import from_ms
from gateway.storage.prepared import PreparedFor, prepared_insert

_INSERT = prepared_insert(runs, without={"ord", "ended_at", "result", "error"})
_MOVED = PreparedFor(lambda ords: update(inbox).where(inbox.c.ord.in_(ords)).values(run_id=bindparam("to")))
_MOVED_AS_TOLD = PreparedFor(
    lambda ords: update(inbox).where(inbox.c.ord.in_(ords)).values(run_id=bindparam("to"), start_type=None, start_input=None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to begin: its row and first events. `signals`: inbox entries that go to it.

    first_events: what its first step came to, after the event that it started. owner: whose it is from the start (None:
    anybody's, once it is due).
    """

    run_id: str
    workflow_id: str
    type: str
    input_text: str
    at_ms: int
    wake_at_ms: int
    start_key: str | None = None
    continues: str | None = None
    signals: tuple[int, ...] = ()
    counted: int = 0
    """Entries of its inbox that are inserted together with it."""
    owner: str | None = None
    first_events: tuple[HistoryEvent, ...] = ()


def begin_runs(connection: Connection, beginning: Sequence[NewRun]) -> None:
    """Insert runs that are ready to be taken, each with its first event and the signals that go to it."""
    if not beginning:
        return
    _INSERT.run_many(connection, [_run_row(new) for new in beginning])
    insert_events(connection, ((new.run_id, event) for new in beginning for event in _first_events(new)))
    for new in beginning:
        if new.signals:
            (_MOVED if new.continues else _MOVED_AS_TOLD).run(connection, new.signals, to=new.run_id)


def _first_events(new: NewRun) -> tuple[HistoryEvent, ...]:
    """What a run that is not ours begins with, whoever takes it thinks out himself."""
    return (started_event(new),) if new.owner is None else (started_event(new), *new.first_events)


def _run_row(new: NewRun) -> dict[str, object]:
    return {
        "run_id": new.run_id,
        "workflow_id": new.workflow_id,
        "live": new.workflow_id,
        "start_key": new.start_key,
        "type": new.type,
        "status": (WorkflowStatus.READY if new.owner is None else WorkflowStatus.RUNNING).value,
        "wake_at": new.wake_at_ms if new.owner is None else None,
        "owner": new.owner,
        "signals": len(new.signals) + new.counted,
        "started_at": new.at_ms,
    }


def started_event(new: NewRun) -> HistoryEvent:
    """The first event, as it is read back."""
    text = _started_text(new)
    attributes: Any = decoded(text)
    return HistoryEvent(sequence=1, at=from_ms(new.at_ms), kind="WorkflowStarted", attributes=attributes, text=text)


def _started_text(new: NewRun) -> str:
    names = {"workflow_id": new.workflow_id, "run_id": new.run_id, "type": new.type, "continues": new.continues}
    return attributes_text(names)[:-1] + ',"input":' + new.input_text + "}"
