"""What is forgotten after a while: executions in Temporal, claims and start keys in the database.

The cluster forgets in the background, within about half a minute. The namespace's own retention forgets closed
executions too, perhaps sooner; start keys and dead letters do not depend on it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

from gateway.durable.port import UnknownWorkflow, WorkflowStatus
from gateway.durable.temporal.claims import forget, keyed_runs
from gateway.durable.temporal.reading import Reading, quoted, state_of
from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import DEAD_LETTER, execution_id
from gateway.storage.columns import to_ms
from gateway.storage.database import Database


async def retire(database: Database, server: Server, reading: Reading, *, before: datetime, limit: int) -> int:
    """Forget runs that completed or were cancelled before then; how many."""
    query = f"TaskQueue = {quoted(server.task_queue)} AND ExecutionStatus != 'Running' AND CloseTime < {quoted(before.isoformat())}"
    gone: set[str] = set()
    deleted: list[tuple[str, str]] = []
    for found in await server.listed(query, limit=limit):
        state = await state_of(found)
        if state is None or state.get("how") == "revived":
            deleted.append((found.id, found.run_id))
            continue
        workflow_id = (
            state["workflow_id"] if found.workflow_type == DEAD_LETTER else found.id.removeprefix(execution_id(server.task_queue, ""))
        )
        if await _over(reading, workflow_id, state["run_id"]):
            gone.add(state["run_id"])
            deleted.append((found.id, found.run_id))
    await asyncio.gather(*(server.delete(id, execution) for id, execution in deleted))
    before_ms = to_ms(before)
    keyed = await database.read(partial(keyed_runs, before_ms=before_ms, limit=limit))
    keys = [dispatch for dispatch, workflow_id, run_id in keyed if run_id in gone or not await _known(reading, workflow_id, run_id)]
    await database.write(partial(forget, before_ms=before_ms, limit=limit, keys=keys))
    return len(gone)


async def _over(reading: Reading, workflow_id: str, run_id: str) -> bool:
    try:
        run = (await reading.locate(workflow_id, run_id)).run
    except UnknownWorkflow:
        return True
    return run.status in {WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED}


async def _known(reading: Reading, workflow_id: str, run_id: str) -> bool:
    try:
        await reading.locate(workflow_id, run_id)
    except UnknownWorkflow:
        return False
    return True
