"""`GET /v1/decisions`: the record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from gateway.api.rights import needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.record import DecisionId, decision_document
from gateway.errors import UnknownThing
from gateway.storage import DecisionFilter
from policies import Outcome

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])


@router.get("")
@needs(Scope.READER)
async def list_decisions(
    asked: Asked,
    connection: str | None = None,
    repository: str | None = None,
    number: int | None = None,
    outcome: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Newest first; `cursor` of one page gets the next, null when that was all. Times need a zone."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise HTTPException(422, f"{name}: expected a time with a zone, such as 2026-01-31T12:00:00Z")
    wanted = DecisionFilter(connection=connection, repository=repository, number=number, outcome=outcome, since=since, until=until)
    try:
        page = await asked.storage.decisions(wanted, limit=limit, cursor=cursor)
    except ValueError as problem:
        raise HTTPException(422, f"cursor: {problem}") from problem
    return {"decisions": [decision_document(decision) for decision in page.decisions], "cursor": page.cursor}


@router.get("/{id}")
@needs(Scope.READER)
async def one_decision(id: str, asked: Asked) -> JSONResponse:
    """One decision, whole."""
    decision = await asked.storage.decision(DecisionId(id))
    if decision is None:
        raise UnknownThing(f"no decision has the id '{id}'")
    return JSONResponse(decision_document(decision))


@router.get("/{id}/input")
@needs(Scope.READER)
async def input_of_decision(id: str, asked: Asked) -> Response:
    """The facts it judged, in the bytes its `input_digest` is over."""
    decision = await asked.storage.decision(DecisionId(id))
    facts = await asked.storage.blob(decision.input_digest) if decision else None
    if facts is None:
        raise UnknownThing(f"no facts are kept for a decision '{id}'")
    return Response(facts, media_type="application/json")
