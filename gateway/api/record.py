"""`/v1/record`: the record as a whole. What is erased from it, and what leaves it as JSON lines."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict

from gateway.api.rights import caller, needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope, is_actor
from gateway.domain.chain import EntryKind
from gateway.domain.clock import utc_now
from gateway.operations.erase import erase_dispatch
from gateway.operations.export_record import ExportFilter, ExportRecord
from policies import Outcome

router = APIRouter(prefix="/v1/record", tags=["record"])


@router.get("/export", response_class=StreamingResponse)
@needs(Scope.ADMIN)
async def export(
    asked: Asked,
    kind: EntryKind | None = None,
    connection: str | None = None,
    repository: str | None = None,
    outcome: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Annotated[int, Query(ge=0)] = 0,
    input: bool = False,
) -> StreamingResponse:
    """Decisions and audit events as JSON lines, in the order of their positions, each with its seal. `after`: only later
    positions. `?input=true`: decisions with the facts they judged. Times need a zone."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise HTTPException(422, f"{name}: expected a time with a zone, such as 2026-01-31T12:00:00Z")
    wanted = ExportFilter(
        kind=kind, connection=connection, repository=repository, outcome=outcome, since=since, until=until, after=min(after, 2**62)
    )
    lines = ExportRecord(storage=asked.storage, sealed_record=asked.sealed_record)(wanted, with_input=input)
    return StreamingResponse(lines, media_type="application/x-ndjson")


class PersonNamed(BaseModel):
    """By the immutable id of an account: `user:<connection>/<id>`."""

    model_config = ConfigDict(extra="forbid")
    actor: str


@router.post("/erase", status_code=202)
@needs(Scope.ADMIN)
async def erase(person: PersonNamed, request: Request, asked: Asked) -> JSONResponse:
    """Erase every fact and delivery that names this person. Digests stay, so the chain stays whole; decisions that rested on
    such facts can not be replayed any more, and say why. The workflow's result is how many pieces were erased."""
    if not is_actor(person.actor):
        raise HTTPException(422, f"actor: expected user:CONNECTION/ID, found {person.actor!r}")
    dispatch = erase_dispatch(person.actor, by=caller(request).name, at=utc_now())
    await asked.storage.record_dispatches([dispatch])
    asked.core.wake()
    return JSONResponse({"workflow": dispatch.workflow_id}, status_code=202)
