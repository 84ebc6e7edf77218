"""`POST /webhooks/{connection}`: deliveries from forges."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import Receive, Scope, Send

from gateway.api.bodies import limited_body
from gateway.api.services import Services
from gateway.operations.receive import Received

_PLACE = "/webhooks/"
router = APIRouter(tags=["webhooks"])


async def services(request: Request) -> Services:
    """The operations of this gateway."""
    return request.app.state.services  # type: ignore[no-any-return]


Asked = Annotated[Services, Depends(services)]


@router.post("/webhooks/{connection}", status_code=202, response_class=JSONResponse)
async def receive_delivery(connection: str, request: Request, asked: Asked) -> Response:
    """A forge's delivery: verified, kept, acknowledged with 202; judged afterwards.

    401: the signature is missing or wrong (whatever the body holds). 404: no such connection. 413: over 25 MB.
    503: it could not be kept; send it again.
    """
    asked.receive.known(connection)
    body = await limited_body(request)
    received = await asked.receive(connection, _headers(request.scope), body)
    asked.core.wake()
    return Response(_acknowledged(received), status_code=202, media_type="application/json")


def _headers(scope: Scope) -> dict[str, str]:
    """By their names in lower case, as ASGI has them. Of two with one name the first counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


@functools.lru_cache(maxsize=256)  # as many as there are kinds of events, but a forge words them
def _acknowledged(received: Received) -> bytes:
    return json.dumps({"event": received.what, "ignored": received.ignored, "known": received.known}, ensure_ascii=False).encode()


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
