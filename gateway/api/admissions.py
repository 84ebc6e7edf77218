"""`POST /v1/admissions`: judge now, and answer with the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from gateway.api.bodies import json_body
from gateway.api.guard import limited
from gateway.api.rights import allowed, needs
from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope

router = APIRouter(prefix="/v1", tags=["admissions"])


@router.post("/admissions", response_class=JSONResponse)
@needs(Scope.SUBMITTER, Scope.AUTHOR, Scope.OPERATOR)
async def judge(request: Request, asked: Asked, dry_run: bool = False) -> Response:
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
    return Response(decision, media_type="application/json")


def _url(body: dict[str, Any]) -> str | None:
    """The URL, where that is all that is said of the change."""
    change = body.get("change")
    if isinstance(change, dict) and set(change) == {"url"} and set(body) <= {"change", "action", "version"}:
        return str(change["url"])
    return None


class Admissions:
    """The same endpoint past the router and FastAPI, for requests without a query: that they look for what to take apart costs
    as much as a tenth of the judgement. Who may not ask is refused here as there.

    handlers: what answers which exception, as for any route.
    """

    def __init__(self, services: Services, handlers: Mapping[Any, Any]) -> None:
        self._services = services
        self._answered = ExceptionMiddleware(self._judge, handlers=handlers)

    def concerned(self, scope: Asgi) -> bool:
        """Whether this request asks to judge, and leaves all else as it is."""
        return scope["path"] == "/v1/admissions" and scope["method"] == "POST" and not scope["query_string"]

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        scope["route"], scope["endpoint"] = router.routes[0], judge
        await self._answered(scope, limited(scope, receive), send)

    async def _judge(self, scope: Asgi, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await allowed(request)
        answer = await judge(request, self._services)
        await answer(scope, receive, send)
