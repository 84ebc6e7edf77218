"""Who may use the API: bearer tokens, known only by their hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from gateway.domain.clock import Clock
from gateway.errors import ConfigurationWrong
from gateway.storage import Storage, StoredToken

_PREFIX = "admit_"
_SHORTEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Made, shown once, and recognised afterwards."""

    storage: Storage
    clock: Clock

    async def create(self, name: str, scopes: tuple[str, ...] = ("admin",)) -> str:
        """A new token's text; only its hash is kept, so this is the one time anybody sees it."""
        text = _PREFIX + secrets.token_urlsafe(32)
        await self.keep(name, text, scopes)
        return text

    async def keep(self, name: str, text: str, scopes: tuple[str, ...] = ("admin",)) -> None:
        """Recognise a token somebody chose. Raises ConfigurationWrong for one that could be guessed."""
        if len(text) < _SHORTEST:
            raise ConfigurationWrong(f"api_tokens: a token of {len(text)} characters could be guessed; use at least {_SHORTEST}")
        await self.storage.add_token(StoredToken(name=name, hash=_hash(text), scopes=scopes, created_at=self.clock(), expires_at=None))

    async def first(self) -> str | None:
        """A token for a database that has none, else None."""
        return None if await self.storage.has_tokens() else await self.create("first")

    async def recognise(self, text: str) -> StoredToken | None:
        """The token this is, unless it is unknown or has expired."""
        token = await self.storage.token(_hash(text))
        if token is None or (token.expires_at is not None and token.expires_at <= self.clock()):
            return None
        return token


def _hash(text: str) -> str:
    """SHA-256: the token is 256 random bits, so there is nothing to guess and no salt to add."""
    return hashlib.sha256(text.encode()).hexdigest()
