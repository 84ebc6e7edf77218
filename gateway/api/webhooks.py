"""`POST /webhooks/{connection}`: deliveries from forges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import Receive, Scope, Send

from gateway.api.bodies import limited_body
from gateway.api.services import Services

_PLACE = "/webhooks/"
router = APIRouter(tags=["webhooks"])


async def services(request: Request) -> Services:
    """The operations of this gateway."""
    return request.app.state.services  # type: ignore[no-any-return]


Asked = Annotated[Services, Depends(services)]


@router.post("/webhooks/{connection}", status_code=202)
async def receive_delivery(connection: str, request: Request, asked: Asked) -> JSONResponse:
    """A forge's delivery: verified, kept, acknowledged with 202; judged afterwards.

    401: the signature is missing or wrong (whatever the body holds). 404: no such connection. 413: over 25 MB.
    503: it could not be kept; send it again.
    """
    asked.receive.known(connection)
    body = await limited_body(request)
    received = await asked.receive(connection, dict(request.headers), body)
    asked.core.wake()
    return JSONResponse({"event": received.what, "ignored": received.ignored, "known": received.known}, status_code=202)


class Deliveries:
    """The same endpoint past the router and FastAPI: a delivery holds nothing for them to take apart, and that they look costs
    more than all the rest of the answer.

    handlers: what answers which exception, as for any route.
    """

    def __init__(self, services: Services, handlers: Mapping[Any, Any]) -> None:
        self._services = services
        self._answered = ExceptionMiddleware(self._receive, handlers=handlers)

    def concerned(self, scope: Scope) -> bool:
        """Whether this request is a delivery."""
        path: str = scope["path"]
        return path.startswith(_PLACE) and scope["method"] == "POST" and len(path) > len(_PLACE) and "/" not in path[len(_PLACE) :]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = router.routes[0]
        await self._answered(scope, receive, send)

    async def _receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await receive_delivery(scope["path"][len(_PLACE) :], Request(scope, receive), self._services)
        await answer(scope, receive, send)
