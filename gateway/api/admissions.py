"""`POST /v1/admissions`: judge now, and answer with the decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from gateway.api.bodies import json_body
from gateway.api.rights import allowed, needs
from gateway.api.webhooks import Asked, services
from gateway.domain.access import Scope
from gateway.domain.record import decision_document


class _Plain(APIRoute):
    """Hands a request without a query to the endpoint itself, once it is allowed: FastAPI has nothing to take apart there, and
    that it looks costs as much as a tenth of the judgement."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        thorough = super().get_route_handler()

        async def handler(request: Request) -> Response:
            if request.scope["query_string"]:
                return await thorough(request)
            await allowed(request)
            answer: Response = await self.endpoint(request, await services(request))
            return answer

        return handler


router = APIRouter(prefix="/v1", tags=["admissions"], route_class=_Plain)


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
