"""`/v1/changes`: what is known of changes, and a way to have one judged again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from gateway.api.rights import needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.clock import utc_now
from gateway.domain.override import in_force
from gateway.domain.record import TrackedChange, override_document
from gateway.errors import UnknownThing
from gateway.operations.receive import recheck_dispatch
from policies import rfc3339
from providers.vcs import ChangeKey

router = APIRouter(prefix="/v1", tags=["changes"])

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/changes")
@needs(Scope.READER)
async def list_changes(asked: Asked, state: str | None = "open", limit: Limit = 200) -> dict[str, Any]:
    """Most recently updated first. `state`: open, closed or merged."""
    return {"changes": [change_line(change) for change in await asked.storage.changes(state=state, limit=limit)]}


@router.get("/changes/{connection}/{repository:path}/{number}")
@needs(Scope.READER)
async def one_change(connection: str, repository: str, number: int, asked: Asked) -> dict[str, Any]:
    """What is known of a change, and the decision in force for it. `repository`: `owner/name`, with all groups on GitLab."""
    return change_line(await _known(asked, connection, repository, number))


@router.post("/changes/{connection}/{repository:path}/{number}/recheck", status_code=202)
@needs(Scope.OPERATOR)
async def recheck(connection: str, repository: str, number: int, asked: Asked) -> JSONResponse:
    """Have it judged again, as an event would; the answer comes as a new or confirmed decision."""
    asked.receive.known(connection)
    dispatch = recheck_dispatch(connection, ChangeKey(repository=repository, number=number))
    await asked.storage.record_dispatches([dispatch])
    asked.core.wake()
    return JSONResponse({"workflow": dispatch.workflow_id}, status_code=202)


def change_line(change: TrackedChange) -> dict[str, Any]:
    """A change as the list shows it."""
    ref = change.ref
    return {
        "connection": ref.connection,
        "repository": ref.repository,
        "number": ref.number,
        "title": ref.title,
        "url": ref.url,
        "head_sha": ref.head_sha,
        "target_branch": ref.target_branch,
        "state": change.state,
        "draft": change.draft,
        "outcome": change.outcome.value if change.outcome else None,
        "decision": change.decision_id,
        "override": override_document(change.override if in_force(change.override, utc_now()) else None),
        "updated_at": rfc3339(change.updated_at),
    }


async def _known(asked: Asked, connection: str, repository: str, number: int) -> TrackedChange:
    change = await asked.storage.change(connection, repository, number)
    if change is None:
        raise UnknownThing(f"nothing is known of change {number} of {repository} on connection '{connection}'")
    return change
