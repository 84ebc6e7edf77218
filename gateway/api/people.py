"""Who speaks: the account behind the token of a request."""

from __future__ import annotations

from fastapi import Request

from gateway.domain.people import Speaker, token_speaker
from gateway.storage import StoredToken


def speaker(request: Request) -> Speaker:
    """There is a token on every path under `/v1`."""
    token: StoredToken = request.scope["admit.token"]
    return token_speaker(token.name, token.actor)
