"""`POST /webhooks/{connection}`: deliveries from forges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from gateway.api.bodies import limited_body
from gateway.api.services import Services


class _Straight(APIRoute):
    """Gives the request to the endpoint as it is: a delivery holds nothing for FastAPI to take apart, and that it looks costs
    more than all the rest of the answer."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        async def handler(request: Request) -> Response:
            answer: Response = await self.endpoint(request.path_params["connection"], request, await services(request))
            return answer

        return handler


router = APIRouter(tags=["webhooks"], route_class=_Straight)


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
