"""Runs and histories as seen from outside: read-only units of work."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from gateway.durable.payloads import decoded
from gateway.durable.port import HistoryEvent, UnknownWorkflow, WorkflowRun, WorkflowStatus
from gateway.durable.sql.recording import event_from
from gateway.durable.sql.tables import events, runs
from gateway.storage.columns import from_ms


def find_run(connection: Connection, workflow_id: str, run_id: str | None) -> WorkflowRun:
    """The run, the newest of the id if not named. Raises UnknownWorkflow."""
    wanted = select(runs).where(runs.c.workflow_id == workflow_id).order_by(runs.c.ord.desc()).limit(1)
    if run_id is not None:
        wanted = wanted.where(runs.c.run_id == run_id)
    row = connection.execute(wanted).first()
    if row is None:
        raise UnknownWorkflow(f"no run of workflow '{workflow_id}'" + (f" with the id '{run_id}'" if run_id else ""))
    return run_from(row)


def run_from(row: Any) -> WorkflowRun:
    """As it stands."""
    return WorkflowRun(
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        type=row.type,
        status=WorkflowStatus(row.status),
        started_at=from_ms(row.started_at),
        ended_at=None if row.ended_at is None else from_ms(row.ended_at),
        wake_at=None if row.wake_at is None else from_ms(row.wake_at),
        result=None if row.result is None else decoded(row.result),
        error=row.error,
    )


def find_history(connection: Connection, workflow_id: str, run_id: str | None) -> tuple[WorkflowRun, list[HistoryEvent]]:
    """The run with all its events, in order. Raises UnknownWorkflow."""
    run = find_run(connection, workflow_id, run_id)
    rows = connection.execute(select(events).where(events.c.run_id == run.run_id).order_by(events.c.sequence))
    return run, [event_from(row) for row in rows]


def list_runs(
    connection: Connection, type: str | None, status: WorkflowStatus | None, without: Collection[str], limit: int
) -> list[WorkflowRun]:
    """Newest first."""
    wanted = select(runs).order_by(runs.c.ord.desc()).limit(limit)
    if type is not None:
        wanted = wanted.where(runs.c.type == type)
    if status is not None:
        wanted = wanted.where(runs.c.status == status.value)
    if without:
        wanted = wanted.where(runs.c.type.not_in(without))
    return [run_from(row) for row in connection.execute(wanted)]
