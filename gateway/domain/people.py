"""Who speaks to the gateway: an account known by the token it came with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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


def called(facts: bytes) -> Mapping[str, str]:
    """Ref → what the forge called it, of everybody and everything in these facts."""
    return dict(_called(json.loads(facts)))


def _called(value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case {"ref": str(ref), "login": str(name)} | {"ref": str(ref), "name": str(name)}:
            yield ref, name
    if isinstance(value, dict):
        for part in value.values():
            yield from _called(part)
    elif isinstance(value, list):
        for part in value:
            yield from _called(part)
