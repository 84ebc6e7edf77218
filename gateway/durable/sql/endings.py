"""How a run ends in the database, and what becomes of signals it never consumed.

Nothing acknowledged is lost:
- a signal that was to start the workflow if it did not run (`signal_or_start`) and was left over starts a new run, just
  as if it had come a moment later. A signal starts at most one run: one that a run was started for is not started for
  again.
- a plain signal left over is dropped, as it would be a moment later, and the history says so (`SignalDropped`).
- cancelling takes what waits along; the history says so.
- continue-as-new takes everything along.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.durable.execution import Cancelled, Completed, Continued, Execution, Failed
from gateway.durable.payloads import encoded
from gateway.durable.port import WorkflowStatus
from gateway.durable.sql.appending import End
from gateway.durable.sql.beginning import NewRun
from gateway.durable.sql.identity import new_run_id
from gateway.durable.stepping import Received
from gateway.storage.columns import to_ms


def end(execution: Execution, type: str, left: Sequence[Received], at: datetime) -> tuple[End, list[int]]:
    """The settlement of an execution that has an ending, and the inbox entries it uses up. Records what is dropped."""
    written: str | None = None
    error: str | None = None
    match execution.ending:
        case Completed(result=result):
            status, written = WorkflowStatus.COMPLETED, encoded(result, "the result")
        case Failed(kind=kind, message=message):
            status, error = WorkflowStatus.FAILED, f"{kind}: {message}"
        case Cancelled(by=by):
            status, error = WorkflowStatus.CANCELLED, f"cancelled by {by}"
        case Continued(input=input):
            continuing = _successor(execution, type, encoded(input, "the input"), left, at)
            return End(status=WorkflowStatus.COMPLETED, at=at, successor=continuing), []
        case None:
            raise AssertionError("the execution has not ended")
    restarting = [] if isinstance(execution.ending, Cancelled) else [entry for entry in left if entry.starts is not None]
    dropped = [entry for entry in left if entry not in restarting]
    for entry in dropped:
        if not entry.control:
            execution.record("SignalDropped", {"name": entry.name, "payload": entry.payload}, at)
    successor: NewRun | None = None
    if restarting:
        starts = restarting[0].starts
        assert starts is not None
        successor = _successor(execution, starts[0], starts[1], restarting, at, continues=False)
    used = [entry.ord for entry in dropped]
    return End(status=status, at=at, result=written, error=error, successor=successor), used


def _successor(
    execution: Execution, type: str, input_text: str, signals: Sequence[Received], at: datetime, *, continues: bool = True
) -> NewRun:
    now_ms = to_ms(at)
    return NewRun(
        run_id=new_run_id(now_ms),
        workflow_id=execution.workflow_id,
        type=type,
        input_text=input_text,
        at_ms=now_ms,
        wake_at_ms=now_ms,
        continues=execution.run_id if continues else None,
        signals=tuple(entry.ord for entry in signals),
    )
