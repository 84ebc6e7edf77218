"""`/v1/changes/…/approve` and `/refuse`: a change that waits for people, released or refused by one of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from gateway.api.changes import change_line
from gateway.api.people import speaker
from gateway.api.rights import needs
from gateway.api.services import Services
from gateway.api.submissions import word_said
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from policies import Word
from providers.vcs import ChangeKey

router = APIRouter(prefix="/v1", tags=["changes"])


@router.post("/changes/{connection}/{repository:path}/{number}/approve", status_code=202)
@needs(Scope.SUBMITTER, Scope.OPERATOR)
async def approve(connection: str, repository: str, number: int, request: Request, asked: Asked) -> dict[str, Any]:
    """Release what a held change waits for, as somebody with the relation. It is judged again; the answer comes as a decision.

    Good for its present head and target branch. 403: your word cannot count. 409: it waits for nobody, or no longer.
    """
    return await _say(Word.APPROVED, connection, repository, number, request, asked)


@router.post("/changes/{connection}/{repository:path}/{number}/refuse", status_code=202)
@needs(Scope.SUBMITTER, Scope.OPERATOR)
async def refuse(connection: str, repository: str, number: int, request: Request, asked: Asked) -> dict[str, Any]:
    """Deny what a held change waits for, as somebody with the relation; approving later takes it back."""
    return await _say(Word.REFUSED, connection, repository, number, request, asked)


async def _say(word: Word, connection: str, repository: str, number: int, request: Request, asked: Services) -> dict[str, Any]:
    said = await word_said(request)
    key = ChangeKey(repository=repository, number=number)
    change = await asked.submitting.give_word.on_change(connection, key, word, speaker(request), said.reason)
    asked.core.wake()
    return change_line(change)
