"""`/healthz`: the process lives. `/readyz`: it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from gateway.api.problems import problem
from gateway.api.webhooks import Asked
from gateway.durable import DurableError
from gateway.errors import GatewayError
from policies.errors import PolicyError
from providers.errors import ProviderError

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz(asked: Asked) -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "ok", "version": asked.version}


@router.get("/readyz")
async def readyz(asked: Asked) -> JSONResponse:
    """200 when the database answers with this code's schema, a generation is in force, and the durable core runs."""
    try:
        await asked.storage.ready()
        await asked.core.alive()
        generation, bundles = await asked.in_force()
    except (GatewayError, ProviderError, PolicyError, DurableError) as error:
        return problem(503, str(error), advice=getattr(error, "advice", None))
    return JSONResponse({"status": "ready", "generation": generation.number, "bundles": [bundle.name for bundle in bundles]})
