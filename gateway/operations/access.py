"""Who may use the API: bearer tokens, known only by their hash, each for some scopes and perhaps for somebody."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cachetools import TTLCache

from gateway.domain.access import Scope, is_actor
from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.errors import Ambiguous, ConfigurationWrong, ManagedByFile, UnknownThing
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage, StoredToken
from gateway.storage.keys import is_name
from policies import Json, rfc3339
from policies.errors import RequestRefused

_PREFIX = "admit_"
_SHORTEST = 32
_RECENT = 1.0
"""Seconds for which a token is taken for what it was: longer than that, nobody who was shut out gets in."""
_REMEMBERED = 1000
_BY_FILE = "admit.yaml:"
"""Names of tokens the configuration has: followed by a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Made, shown once, recognised afterwards, and revoked. Each of that is an audit event."""

    storage: Storage
    clock: Clock
    _seen: TTLCache[str, StoredToken] = field(default_factory=lambda: TTLCache(_REMEMBERED, ttl=_RECENT))

    async def create(
        self, name: str, scopes: Sequence[str], *, by: str, actor: str | None = None, expires_at: datetime | None = None
    ) -> tuple[StoredToken, str]:
        """A new token and its text; only its hash is kept, so this is the one time anybody sees it.

        Raises RequestRefused for what no token can be, Ambiguous where the name was given before.
        """
        self._refuse_wrong(name, scopes, actor, expires_at)
        text = _PREFIX + secrets.token_urlsafe(32)
        token = StoredToken(
            name=name,
            hash=_hash(text),
            scopes=tuple(sorted(set(scopes))),
            created_at=self.clock(),
            expires_at=expires_at,
            actor=actor,
        )
        if not await self.storage.create_token(token, event=self._event("token.created", token, by)):
            raise Ambiguous(f"there is, or was, a token named '{name}'", advice="choose another name: the audit tells tokens apart by it")
        await self.storage.record_dispatches([seal_dispatch(self.clock())])
        return token, text

    async def revoke(self, name: str, *, by: str) -> StoredToken:
        """It is refused from now on. Raises UnknownThing, and ManagedByFile for one that admit.yaml would bring back."""
        if name.startswith(_BY_FILE):
            raise ManagedByFile(f"the token '{name}' is one of api_tokens", advice="take it out of admit.yaml and restart the gateway")
        event = AuditEvent(at=self.clock(), who=by, what="token.revoked", about=name)
        token = await self.storage.revoke_token(name, at=self.clock(), event=event)
        self._seen.clear()
        if token is None:
            raise UnknownThing(f"no token is named '{name}'", advice="see what there is: admit token list")
        await self.storage.record_dispatches([seal_dispatch(self.clock())])
        return token

    async def all(self) -> Sequence[StoredToken]:
        """Every one, by name."""
        return await self.storage.tokens()

    async def configure(self, texts: Sequence[str]) -> None:
        """Recognise the tokens somebody chose, as admin, and no longer those of earlier configurations.

        Raises ConfigurationWrong for one that could be guessed.
        """
        if short := next((text for text in texts if len(text) < _SHORTEST), None):
            raise ConfigurationWrong(f"api_tokens: a token of {len(short)} characters could be guessed; use at least {_SHORTEST}")
        before = {token.hash: token for token in await self.storage.tokens()}
        wanted = list(dict.fromkeys(_hash(text) for text in texts))
        taken = {before[hash].name for hash in wanted if hash in before}
        free = (name for number in itertools.count() if (name := f"{_BY_FILE}{number}") not in taken)
        for hash in wanted:
            known = before.get(hash)
            if known is None or not known.valid(self.clock()):
                await self._configured(known.name if known else next(free), hash, first=not before)
        for token in await self.storage.tokens():
            if token.name.startswith(_BY_FILE) and token.hash not in wanted and token.revoked_at is None:
                gone = AuditEvent(at=self.clock(), who="admit.yaml", what="token.revoked", about=token.name)
                await self.storage.revoke_token(token.name, at=self.clock(), event=gone)
        self._seen.clear()

    async def _configured(self, name: str, hash: str, *, first: bool) -> None:
        token = StoredToken(name=name, hash=hash, scopes=(Scope.ADMIN.value,), created_at=self.clock(), expires_at=None)
        await self.storage.add_token(token)
        if not first:  # what a new database begins with changes nothing
            await self.storage.record_event(self._event("token.configured", token, "admit.yaml"))

    async def first(self) -> str | None:
        """A token for a database that has none, else None."""
        if await self.storage.has_tokens():
            return None
        _, text = await self.create("first", (Scope.ADMIN.value,), by="the first start")
        return text

    async def recognise(self, text: str) -> StoredToken | None:
        """The token this is, unless it is unknown, has expired or was revoked; at another gateway, up to a second ago."""
        hash = _hash(text)
        token = self._seen.get(hash)
        if token is None and (token := await self.storage.token(hash)) is not None:
            self._seen[hash] = token
        return token if token is not None and token.valid(self.clock()) else None

    def _refuse_wrong(self, name: str, scopes: Sequence[str], actor: str | None, expires_at: datetime | None) -> None:
        if not is_name(name) or name.startswith(_BY_FILE):
            raise RequestRefused(f"name: expected at most 191 printable characters, and not '{_BY_FILE}…', found {name!r}")
        known = ", ".join(scope.value for scope in Scope)
        if not scopes:
            raise RequestRefused(f"scopes: expected at least one of {known}")
        if wrong := sorted(set(scopes) - {scope.value for scope in Scope}):
            raise RequestRefused(f"scopes: expected some of {known}, found {', '.join(map(repr, wrong))}")
        if actor is not None and not is_actor(actor):
            raise RequestRefused(f"actor: expected user:CONNECTION/ID or person:NAME, found {actor!r}")
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= self.clock()):
            raise RequestRefused("expires_at: expected a time to come, with its zone, such as 2030-01-31T12:00:00Z")

    def _event(self, what: str, token: StoredToken, by: str) -> AuditEvent:
        details: dict[str, Json] = {
            "scopes": list(token.scopes),
            "actor": token.actor,
            "expires_at": rfc3339(token.expires_at) if token.expires_at else None,
        }
        return AuditEvent(at=self.clock(), who=by, what=what, about=token.name, details=details)


def _hash(text: str) -> str:
    """SHA-256: the token is 256 random bits, so there is nothing to guess and no salt to add."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
