"""`/v1/workflows` and `/v1/dead-letters`: what the durable core does, seen and steered."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from gateway.api.rights import caller, needs, needs_right
from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.rights import STEER
from gateway.durable import RetrySchedule, WorkflowStatus
from gateway.durable.documents import event_document, letter_document, queue_document, run_document

router = APIRouter(prefix="/v1", tags=["workflows"])

Limit = Annotated[int, Query(ge=1, le=1000)]
Id = Annotated[str, Path(description="A workflow's id; slashes as they are.")]


@router.get("/queue")
@needs(Scope.READER)
async def queue(asked: Asked) -> dict[str, Any]:
    """How much waits, since when, what runs, what is parked, and how many dead letters there are."""
    return queue_document(await asked.core.queue())


@router.get("/workflows")
@needs(Scope.READER)
async def list_workflows(asked: Asked, type: str | None = None, status: WorkflowStatus | None = None, limit: Limit = 100) -> dict[str, Any]:
    """Runs, newest first."""
    return {"workflows": [run_document(run) for run in await asked.core.list(type=type, status=status, limit=limit)]}


@router.get("/workflows/{id:path}/history")
@needs(Scope.READER)
async def history(id: Id, asked: Asked, run_id: str | None = None) -> dict[str, Any]:
    """Every event of a run (the newest, if none is named), in order."""
    run = await asked.core.describe(id, run_id)
    events = await asked.core.history(id, run.run_id)
    return {**run_document(run), "events": [event_document(event) for event in events]}


@router.post("/workflows/{id:path}/retry")
@needs_right(STEER)
async def retry(id: Id, asked: Asked, request: Request, activity: str | None = None) -> dict[str, Any]:
    """Try now what waits for its next attempt."""
    by = await _right(asked, request, "workflow.retried")
    await asked.core.retry(id, activity=activity, by=by)
    return run_document(await asked.core.describe(id))


@router.post("/workflows/{id:path}/reschedule")
@needs_right(STEER)
async def reschedule(
    id: Id,
    asked: Asked,
    request: Request,
    delays: Annotated[list[float], Query(description="Seconds before the 2nd, 3rd … attempt.")],
    activity: str | None = None,
) -> dict[str, Any]:
    """Give what waits another schedule, from now on."""
    by = await _right(asked, request, "workflow.rescheduled")
    schedule = RetrySchedule(name="operator", delays=tuple(delays))
    await asked.core.reschedule(id, schedule, activity=activity, by=by)
    return run_document(await asked.core.describe(id))


@router.post("/workflows/{id:path}/give-up")
@needs_right(STEER)
async def give_up(id: Id, asked: Asked, request: Request, activity: str | None = None) -> dict[str, Any]:
    """Do not try again: the activity fails, and the workflow decides what that means."""
    by = await _right(asked, request, "workflow.given_up")
    await asked.core.give_up(id, activity=activity, by=by)
    return run_document(await asked.core.describe(id))


@router.post("/workflows/{id:path}/cancel")
@needs_right(STEER)
async def cancel(id: Id, asked: Asked, request: Request) -> dict[str, Any]:
    """End the newest run as cancelled; an ended one stays as it ended."""
    by = await _right(asked, request, "workflow.cancelled")
    await asked.core.cancel(id, by=by)
    return run_document(await asked.core.describe(id))


@router.get("/workflows/{id:path}")
@needs(Scope.READER)
async def one_workflow(id: Id, asked: Asked, run_id: str | None = None) -> dict[str, Any]:
    """A run as it stands (the newest, if none is named)."""
    return run_document(await asked.core.describe(id, run_id))


@router.get("/dead-letters")
@needs(Scope.READER)
async def list_dead_letters(asked: Asked, type: str | None = None, limit: Limit = 100) -> dict[str, Any]:
    """Runs that failed and were not revived, newest first."""
    return {"dead_letters": [letter_document(letter) for letter in await asked.core.dead_letters(type=type, limit=limit)]}


@router.post("/dead-letters/revive")
@needs_right(STEER)
async def revive_all(asked: Asked, request: Request, type: str | None = None, limit: Limit = 100) -> dict[str, Any]:
    """Revive every dead letter, or those of one type; each goes on from the step that failed."""
    by = await _right(asked, request, "dead_letter.revived")
    letters = await asked.core.dead_letters(type=type, limit=limit)
    for letter in letters:
        await asked.core.revive(letter.workflow_id, letter.run_id, by=by)
    return {"revived": [letter.workflow_id for letter in letters]}


@router.post("/dead-letters/{id:path}/revive")
@needs_right(STEER)
async def revive(id: Id, asked: Asked, request: Request, run_id: str | None = None) -> dict[str, Any]:
    """Go on from the step that failed; completed steps keep their results."""
    by = await _right(asked, request, "dead_letter.revived")
    await asked.core.revive(id, run_id, by=by)
    return run_document(await asked.core.describe(id, run_id))


@router.post("/dead-letters/{id:path}/discard")
@needs_right(STEER)
async def discard(id: Id, asked: Asked, request: Request, run_id: str | None = None) -> dict[str, Any]:
    """Put it away: the run counts as cancelled."""
    by = await _right(asked, request, "dead_letter.discarded")
    await asked.core.discard(id, run_id, by=by)
    return run_document(await asked.core.describe(id, run_id))


@router.get("/dead-letters/{id:path}")
@needs(Scope.READER)
async def one_dead_letter(id: Id, asked: Asked, run_id: str | None = None) -> dict[str, Any]:
    """What was given up, why, and every attempt with its time and error."""
    return letter_document(await asked.core.dead_letter(id, run_id))


async def _right(asked: Services, request: Request, what: str) -> str:
    """Who does it, as histories name them; on record by now. Raises as `SteerWorkflow`."""
    by, id, said = caller(request), request.path_params.get("id"), request.query_params
    details = {name: str(value) for name, value in [*request.path_params.items(), *said.items()]}
    about = request.url.path if id is None else str(id)
    await asked.steer_workflow(id, said.get("run_id"), what=what, about=about, by=by, details=details)
    return f"token {by.name}"
