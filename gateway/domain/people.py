"""Who speaks to the gateway: an account known by the token it came with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.model import Json

TOKEN_NAMESPACE = "token"  # noqa: S105 — a namespace, not a secret
"""Stands where a connection's name would: `user:token/ci` holds a token that says of nobody in particular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """ref: what relations are asked about. name: what people call it. kind: of an Actor."""

    ref: str
    name: str
    kind: str = "user"

    def actor(self) -> Mapping[str, Json]:
        """As the subject of an input document."""
        return {"id": self.ref.rpartition("/")[2], "login": self.name, "kind": self.kind, "ref": self.ref}


def token_speaker(name: str, actor: str | None) -> Speaker:
    """Whoever holds this token: its actor, else the token itself, which is a program's."""
    if actor is not None:
        return Speaker(ref=actor, name=name)
    return Speaker(ref=f"user:{TOKEN_NAMESPACE}/{name}", name=name, kind="bot")
