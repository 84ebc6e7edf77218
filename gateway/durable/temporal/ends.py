"""How a run ends, and what becomes of signals it never consumed: the same rules as the embedded engine's.

A signal that was to start the workflow if it did not run starts the next run; a plain one is dropped, and the history
says so; cancelling takes what waits along; continue-as-new takes everything along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.durable.execution import Cancelled, Completed, Continued, Execution, Failed
from gateway.durable.payloads import decoded
from gateway.durable.stepping import Received
from gateway.durable.temporal.wire import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """dropped: entries that go nowhere. successor: the run to begin next, with what goes to it."""

    dropped: list[Received] = field(default_factory=list)
    successor: Document | None = None


def left_over(execution: Execution, type: str, left: Sequence[Received], at: datetime) -> Left:
    """What becomes of the rest of the inbox. Records what is dropped."""
    if isinstance(execution.ending, Continued):
        orders = [entry for entry in left if entry.control]
        carried = [_entry(entry, keeps_start=True) for entry in left if not entry.control]
        successor = {"type": type, "input": execution.ending.input, "continues": execution.run_id, "inbox": carried}
        return Left(dropped=orders, successor=successor)
    restarting = [] if isinstance(execution.ending, Cancelled) else [entry for entry in left if entry.starts is not None]
    dropped = [entry for entry in left if entry not in restarting]
    for entry in dropped:
        if not entry.control:
            execution.record("SignalDropped", {"name": entry.name, "payload": entry.payload}, at)
    if not restarting or restarting[0].starts is None:
        return Left(dropped=dropped)
    next_type, next_input = restarting[0].starts
    inbox = [_entry(entry, keeps_start=False) for entry in restarting]
    return Left(dropped=dropped, successor={"type": next_type, "input": decoded(next_input), "continues": None, "inbox": inbox})


def ending_of(execution: Execution) -> Document | None:
    """The ending as a document; `said`: the error as shown to people."""
    match execution.ending:
        case None:
            return None
        case Completed(result=result):
            return {"kind": "completed", "status": "completed", "result": result}
        case Failed(kind=kind, message=message):
            return {"kind": "failed", "status": "failed", "error": kind, "message": message, "said": f"{kind}: {message}"}
        case Cancelled(by=by):
            return {"kind": "cancelled", "status": "cancelled", "said": f"cancelled by {by}"}
        case Continued():
            return {"kind": "continued", "status": "completed"}


def _entry(entry: Received, *, keeps_start: bool) -> dict[str, Any]:
    starts = [entry.starts[0], decoded(entry.starts[1])] if keeps_start and entry.starts is not None else None
    return {"name": entry.name, "payload": entry.payload, "control": entry.control, "dispatch": None, "starts": starts, "claimed": True}
