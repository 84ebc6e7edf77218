"""`/v1/changes/…/override`: break-glass, given and ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from gateway.api.changes import change_line
from gateway.api.rights import caller, needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope

router = APIRouter(prefix="/v1", tags=["changes"])


class OverrideWanted(BaseModel):
    """Why, and until when: a time to come, with its zone, within seven days."""

    model_config = ConfigDict(extra="forbid")
    reason: str
    until: datetime


@router.post("/changes/{connection}/{repository:path}/{number}/override", status_code=201)
@needs(Scope.READER, Scope.OPERATOR, Scope.SUBMITTER)
async def override(connection: str, repository: str, number: int, wanted: OverrideWanted, request: Request, asked: Asked) -> dict[str, Any]:
    """Let it through in spite of its verdict, which stays what it is. The status turns to success and says who, and until
    when; a push to the change ends it.

    Whoever does it needs the scope operator, or the relation `override` to the repository.
    404: no decision on its present head, or not open.
    """
    change = await asked.override_change(connection, repository, number, reason=wanted.reason, until=wanted.until, by=caller(request))
    asked.core.wake()
    return change_line(change)


@router.delete("/changes/{connection}/{repository:path}/{number}/override")
@needs(Scope.READER, Scope.OPERATOR, Scope.SUBMITTER)
async def end_override(connection: str, repository: str, number: int, request: Request, asked: Asked) -> dict[str, Any]:
    """End it before its time. 404: none is in force."""
    change = await asked.override_change.end(connection, repository, number, by=caller(request))
    asked.core.wake()
    return change_line(change)
