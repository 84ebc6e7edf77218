"""`POST /webhooks/{connection}`: deliveries from forges."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from gateway.api.bodies import limited_body
from gateway.api.services import Services

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
    received = await asked.receive(connection, request.headers, body)
    asked.core.wake()
    return JSONResponse({"event": received.what, "ignored": received.ignored, "known": received.known}, status_code=202)
