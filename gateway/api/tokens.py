"""`/v1/tokens`: who may come in, and for what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.rights import caller, needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.clock import utc_now
from gateway.storage import StoredToken
from policies import rfc3339

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])


class TokenWanted(BaseModel):
    """actor: who will hold it (`user:<connection>/<id>`, or a person), as relationship checks name them."""

    model_config = ConfigDict(extra="forbid")
    name: str
    scopes: list[str] = Field(max_length=16)
    actor: str | None = None
    expires_at: datetime | None = None


@router.get("")
@needs(Scope.ADMIN)
async def list_tokens(asked: Asked) -> dict[str, Any]:
    """Every token by name, without its text, which nobody knows; expired and revoked ones too."""
    return {"tokens": [token_line(token) for token in await asked.tokens.all()]}


@router.get("/self")
@needs(*Scope)
async def own_token(request: Request) -> dict[str, Any]:
    """The token of this request."""
    return token_line(caller(request))


@router.post("", status_code=201)
@needs(Scope.ADMIN)
async def create(wanted: TokenWanted, request: Request, asked: Asked) -> dict[str, Any]:
    """Make one. Its `token` is in this answer and nowhere else. 409: the name was given before."""
    token, text = await asked.tokens.create(
        wanted.name, wanted.scopes, by=caller(request).name, actor=wanted.actor, expires_at=wanted.expires_at
    )
    asked.core.wake()
    return {**token_line(token), "token": text}


@router.delete("/{name}")
@needs(Scope.ADMIN)
async def revoke(name: str, request: Request, asked: Asked) -> dict[str, Any]:
    """Refuse it from now on. 409: admit.yaml has it."""
    token = await asked.tokens.revoke(name, by=caller(request).name)
    asked.core.wake()
    return token_line(token)


def token_line(token: StoredToken) -> dict[str, Any]:
    """All of it but its hash."""
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "actor": token.actor,
        "created_at": rfc3339(token.created_at),
        "expires_at": rfc3339(token.expires_at) if token.expires_at else None,
        "revoked_at": rfc3339(token.revoked_at) if token.revoked_at else None,
        "valid": token.valid(utc_now()),
    }
