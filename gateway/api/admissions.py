"""`POST /v1/admissions`: judge now, and answer with the decision."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from gateway.api.bodies import json_body
from gateway.api.rights import needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.record import decision_document

router = APIRouter(prefix="/v1", tags=["admissions"])


@router.post("/admissions")
@needs(Scope.SUBMITTER, Scope.AUTHOR, Scope.OPERATOR)
async def judge(request: Request, asked: Asked, dry_run: bool = False) -> JSONResponse:
    """Judge a change by URL (`{"change": {"url": …}}`: its facts are gathered, the decision is reported), or a whole input
    document (`facts: provided`, never reported). `?dry_run=true` records nothing.

    Denied and undecided are 200: a decision is not an error. 503 with Retry-After: too busy to judge.
    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise HTTPException(422, 'expected an object: an input document, or {"change": {"url": …}}')
    url = _url(body)
    if url is not None:
        decision = await asked.judge_on_request.change(url, dry_run=dry_run)
        asked.core.wake()
    else:
        decision = await asked.judge_on_request.facts(body, dry_run=dry_run)
    return JSONResponse(decision_document(decision))


def _url(body: dict[str, Any]) -> str | None:
    """The URL, where that is all that is said of the change."""
    change = body.get("change")
    if isinstance(change, dict) and set(change) == {"url"} and set(body) <= {"change", "action", "version"}:
        return str(change["url"])
    return None
