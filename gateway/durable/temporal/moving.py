"""Local activities that bring histories from one execution to another: a failure into its letter, a letter into a revival."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus

from gateway.durable.payloads import attributes_text
from gateway.durable.temporal.adopting import embedded_events, embedded_inbox
from gateway.durable.temporal.converting import CONVERTER
from gateway.durable.temporal.events import event_document, events_in
from gateway.durable.temporal.reading import state_of
from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import COPY, DEAD_LETTER, EMBEDDED, REVIVE, STATE, Document, a_revival, execution_id
from gateway.storage.database import Database

_PART = 500_000
"""Bytes of history brought along at once."""
_LOOK = 0.05


class Moving:
    """What `interpreter` calls."""

    def __init__(self, server: Server, database: Database) -> None:
        self._server = server
        self._database = database

    @activity.defn(name=COPY)
    async def copy(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """{source: [id, execution], after: events brought already} → {events, complete, inbox}. Waits for a failed run to close."""
        documents, inbox = await self._found(*wanted["source"])
        part: list[Document] = []
        size = 0
        for document in documents[wanted["after"] :]:
            size += len(attributes_text(document))
            if part and size > _PART:
                break
            part.append(document)
        return {"events": part, "complete": wanted["after"] + len(part) == len(documents), "inbox": inbox}

    async def _found(self, id: str, execution: str) -> tuple[list[Document], list[Document]]:
        if id == EMBEDDED:
            return await self._database.read(lambda c: (embedded_events(c, execution), embedded_inbox(c, execution)))
        await self._complete(id, execution)
        fetched = await self._server.history(id, execution)
        events = await events_in(fetched.events, CONVERTER) if fetched is not None else []
        return [event_document(event) for event in events], []

    async def _complete(self, id: str, execution: str) -> None:
        """Returns once nothing is added any more: it has closed, or is a letter, which adds nothing."""
        while (found := await self._server.describe(id, execution)) is not None:
            if found.status != WorkflowExecutionStatus.RUNNING or found.workflow_type == DEAD_LETTER:
                return
            await asyncio.sleep(_LOOK)

    @activity.defn(name=REVIVE)
    async def revive(self, letter: dict[str, Any]) -> dict[str, Any]:
        """The letter with its source and `by` → {execution} of the revived run, or {going}: the newer run in its way."""
        id = execution_id(self._server.task_queue, letter["workflow_id"])
        source = (letter["source"][0], letter["source"][1])
        begins = a_revival(letter["workflow_id"], letter["run_id"], source=source, by=letter["by"])
        state = {**letter["state"], "status": "ready", "ended_at": None, "error": None}
        execution = await self._server.start(id, letter["type"], begins, request=f"revive:{source[1]}", memo={STATE: state})
        if execution is not None:
            return {"execution": execution, "going": None}
        found = await self._server.describe(id)
        going = (await state_of(found) or {}).get("run_id", found.run_id) if found is not None else "unknown"
        return {"execution": None, "going": going}
