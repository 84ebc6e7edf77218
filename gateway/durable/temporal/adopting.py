"""Carry over what the embedded engine left in the database: unfinished runs and dead letters go on, with their histories.

Each keeps its run id, its history and its inbox: Temporal begins an execution that copies them from the database before
its first step. That beginning has the run's id for its identity, so that a gateway that dies in between, or two that
start at once, carry nothing over twice. Only then is the row put away (`cancelled`, "carried over to Temporal"). Finished
runs stay where they are, unseen from here.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, delete, or_, select, update

from gateway.durable.payloads import decoded
from gateway.durable.port import WorkflowStatus
from gateway.durable.sql.inbox import read_inboxes
from gateway.durable.sql.owners import beats
from gateway.durable.sql.reading import find_history
from gateway.durable.sql.recording import event_from
from gateway.durable.sql.tables import events, owners, runs
from gateway.durable.temporal.claims import keep_key
from gateway.durable.temporal.events import event_document
from gateway.durable.temporal.reading import quoted, state_of
from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import DEAD_LETTER, EMBEDDED, STATE, Document, an_adoption, execution_id, letter_id
from gateway.errors import ConfigurationWrong
from gateway.storage.columns import from_ms, to_ms
from gateway.storage.database import Database

log = structlog.get_logger(__name__)

CARRIED = "carried over to Temporal"


async def adopt(database: Database, server: Server, *, lease: float, now: datetime) -> int:
    """Carry over what there is; how many. Raises ConfigurationWrong while a process runs the embedded engine."""
    waiting = await database.read(_waiting)
    if not waiting:
        return 0
    await _nobody_else(database, lease)
    for row in await database.read(_waiting):
        await (_letter(database, server, row) if row.status == WorkflowStatus.FAILED.value else _run(server, row, now))
        await database.write(partial(_put_away, run_id=row.run_id, now_ms=to_ms(now)))
        log.info("run carried over to Temporal", workflow=row.workflow_id, run=row.run_id, status=row.status)
    return len(waiting)


def embedded_events(connection: Connection, run_id: str) -> list[Document]:
    """The history of one of its runs."""
    rows = connection.execute(select(events).where(events.c.run_id == run_id).order_by(events.c.sequence))
    return [event_document(event_from(row)) for row in rows]


def embedded_inbox(connection: Connection, run_id: str) -> list[Document]:
    """What had been said to it."""
    entries = read_inboxes(connection, [run_id]).get(run_id, (0, []))[1]
    return [
        {
            "name": entry.name,
            "payload": entry.payload,
            "control": entry.control,
            "dispatch": None,
            "starts": None if entry.starts is None else [entry.starts[0], decoded(entry.starts[1])],
            "claimed": True,
        }
        for entry in entries
    ]


def _waiting(connection: Connection) -> list[Any]:
    unfinished = or_(runs.c.live.is_not(None), runs.c.status == WorkflowStatus.FAILED.value)
    return list(connection.execute(select(runs).where(unfinished).order_by(runs.c.ord)))


async def _nobody_else(database: Database, lease: float) -> None:
    """Returns once no process that beats is registered; those that do not any more are forgotten."""
    before = await database.read(beats)
    if not before:
        return
    await asyncio.sleep(lease)
    after = await database.read(beats)
    if alive := sorted(owner for owner, beat in after.items() if before.get(owner) != beat):
        raise ConfigurationWrong(
            f"a gateway without `durable:` still works on this database: {', '.join(alive)}",
            advice="stop every gateway that uses the embedded engine, then start this one again",
        )
    await database.write(lambda connection: connection.execute(delete(owners).where(owners.c.owner.in_(before))))


async def _run(server: Server, row: Any, now: datetime) -> None:
    delay = max(0.0, (from_ms(row.wake_at) - now).total_seconds()) if row.status == WorkflowStatus.READY.value and row.wake_at else 0.0
    begins = an_adoption(row.workflow_id, row.run_id, delay=delay)
    state = {"run_id": row.run_id, "status": "ready", "started_at": from_ms(row.started_at).isoformat()}
    id = execution_id(server.task_queue, row.workflow_id)
    if await _is_carried(server, id, row.run_id):
        return
    if await server.start(id, row.type, begins, request=f"adopt:{row.run_id}", memo={STATE: state}) is None:
        raise ConfigurationWrong(
            f"workflow '{row.workflow_id}' runs on Temporal and in the embedded engine",
            advice=f"cancel the one on Temporal, workflow id '{id}', with Temporal's own tools; then start this gateway again",
        )


async def _is_carried(server: Server, id: str, run_id: str) -> bool:
    """A gateway before us has begun it on Temporal, and died before it could put the row away."""
    newest = await server.describe(id)
    for found in [*([] if newest is None else [newest]), *await server.listed(f"WorkflowId = {quoted(id)}", limit=1000)]:
        state = await state_of(found)
        if state is not None and state["run_id"] == run_id:
            return True
    return False


async def _letter(database: Database, server: Server, row: Any) -> None:
    run, history = await database.read(lambda connection: find_history(connection, row.workflow_id, row.run_id))
    assert run.ended_at is not None
    failure = next(event for event in reversed(history) if event.kind == "WorkflowFailed")
    state: Document = {"run_id": run.run_id, "status": "failed", "started_at": run.started_at.isoformat()}
    state |= {"ended_at": run.ended_at.isoformat(), "wake_at": None, "result": None, "error": run.error}
    letter = {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "type": run.type,
        "source": [EMBEDDED, run.run_id],
        "failed_at": failure.at.isoformat(),
        "state": state,
    }
    id = letter_id(server.task_queue, run.workflow_id, run.run_id)
    if await server.describe(id) is not None:
        return
    await server.start(id, DEAD_LETTER, letter, request=f"adopt:{run.run_id}", memo={STATE: letter})


def _put_away(connection: Connection, run_id: str, now_ms: int) -> None:
    """It is Temporal's now, and its start key with it. Its events and inbox stay until they are retired: the copy may not
    have been made yet."""
    row = connection.execute(select(runs.c.workflow_id, runs.c.start_key).where(runs.c.run_id == run_id)).one()
    gone: Document = {"status": WorkflowStatus.CANCELLED.value, "live": None, "owner": None, "wake_at": None, "start_key": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**gone, ended_at=now_ms, error=CARRIED))
    if row.start_key is not None:
        keep_key(connection, row.start_key, run_id, row.workflow_id, now_ms)
