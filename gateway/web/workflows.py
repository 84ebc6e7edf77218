"""Pages about the durable core: runs, one run's history as a timeline, dead letters."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.api.webhooks import Asked
from gateway.durable import HistoryEvent, UnknownWorkflow
from gateway.web.rendering import may_read, page, sign_in
from gateway.workflows import HOUSEKEEPING

router = APIRouter(include_in_schema=False)


@router.get("/workflows")
async def workflows_page(request: Request, asked: Asked, all: bool = False) -> HTMLResponse:
    """How the work stands, and the newest runs; `all`: with what comes round by itself."""
    if not may_read(request, asked):
        return sign_in(asked)
    runs = await asked.core.list(without=() if all else HOUSEKEEPING, limit=100)
    return page("workflows.html", asked, runs=runs, queue=await asked.core.queue(), all=all)


@router.get("/workflows/{id:path}")
async def workflow_page(id: str, request: Request, asked: Asked, run: str | None = None) -> HTMLResponse:
    """One run: what happened, in order."""
    if not may_read(request, asked):
        return sign_in(asked)
    try:
        found = await asked.core.describe(id, run)
        events = await asked.core.history(id, found.run_id)
    except UnknownWorkflow as problem:
        return page("problem.html", asked, status=404, title="No such workflow", detail=str(problem))
    return page("workflow.html", asked, run=found, events=events, summary=_summary)


@router.get("/dead-letters")
async def dead_letters_page(request: Request, asked: Asked) -> HTMLResponse:
    """What was given up, and why."""
    if not may_read(request, asked):
        return sign_in(asked)
    return page("dead_letters.html", asked, letters=await asked.core.dead_letters())


def _summary(event: HistoryEvent) -> str:
    """An event's attributes in one line."""
    parts = (f"{name}: {json.dumps(value)}" for name, value in event.attributes.items() if value not in (None, [], {}, ""))
    text = ", ".join(parts)
    return text if len(text) <= 120 else text[:119] + "…"
