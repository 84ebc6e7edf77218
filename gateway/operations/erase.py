"""Erase: a person's data, or what is older than the configuration keeps, from the bytes the record names. Digests stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.domain.access import is_actor
from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.erasure import erased_event, logins_of, names, retired_event
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage
from policies import Digest, Json
from policies.canonical import Kind
from policies.errors import RequestRefused

_PAGE = 200
_LOOKED_AT: Final[tuple[Kind, Kind]] = ("facts", "delivery")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePerson:
    """All facts that name an actor, and all deliveries that name one of the logins he had in them."""

    storage: Storage
    clock: Clock

    async def __call__(self, actor: str, *, by: str) -> int:
        """How many pieces were erased. Raises RequestRefused for what is no actor."""
        cursor: dict[str, Any] | None = None
        while True:
            cursor = await self.page(actor, cursor, by=by)
            if cursor["done"]:
                await self.storage.record_dispatches([seal_dispatch(self.clock())])
                return int(cursor["erased"])

    async def page(self, actor: str, cursor: dict[str, Any] | None, *, by: str) -> dict[str, Any]:
        """One page of it, and where it got to: `{kind, after, logins, erased, done}`. A page done twice changes nothing."""
        if not is_actor(actor):
            raise RequestRefused(f"actor: expected user:CONNECTION/ID, found {actor!r}")
        at = cursor or {"kind": 0, "after": "", "logins": [], "erased": 0}
        looked_at = await self.storage.blobs_of(_LOOKED_AT[at["kind"]], after=at["after"], limit=_PAGE)
        logins = set(at["logins"])
        found: list[Digest] = []
        for digest, content in looked_at:
            if names(content, actor) or (at["kind"] == 1 and any(names(content, login) for login in logins)):
                found.append(digest)
                logins |= logins_of(content, actor)
        if found:
            event = erased_event(actor, found, who=by, at=self.clock())
            await self.storage.erase_blobs(found, why="a person's data was erased", event=event)
        over = len(looked_at) < _PAGE
        return {
            "kind": min(at["kind"] + over, 1),
            "after": "" if over else looked_at[-1][0],
            "logins": sorted(logins),
            "erased": at["erased"] + len(found),
            "done": over and at["kind"] == 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireRecord:
    """Days that facts and deliveries are kept; None = for good."""

    storage: Storage
    clock: Clock
    facts: float | None = None
    deliveries: float | None = None

    async def __call__(self) -> Json:
        """How many pieces were dropped, of each kind."""
        dropped: dict[str, Json] = {"facts": await self._facts(), "deliveries": await self._deliveries()}
        if any(dropped.values()):
            await self.storage.record_dispatches([seal_dispatch(self.clock())])
        return dropped

    async def _facts(self) -> int:
        if self.facts is None:
            return 0
        before, after, dropped = self.clock() - timedelta(days=self.facts), 0, 0
        while True:
            found, last = await self.storage.old_facts(before, after=after, limit=_PAGE)
            await self._drop("facts", found, before)
            dropped += len(found)
            if last is None:
                return dropped
            after = last

    async def _deliveries(self) -> int:
        if self.deliveries is None:
            return 0
        before, dropped = self.clock() - timedelta(days=self.deliveries), 0
        while found := await self.storage.old_deliveries(before, limit=_PAGE):
            await self._drop("deliveries", found, before)
            dropped += len(found)
        return dropped

    async def _drop(self, kind: str, found: Sequence[Digest], before: datetime) -> None:
        if found:
            event = retired_event(kind, before, len(found), at=self.clock())
            await self.storage.erase_blobs(found, why="it was older than the configuration keeps it", event=event)


def erase_dispatch(actor: str, *, by: str, at: datetime) -> Dispatch:
    """Have a person's data erased."""
    id = id_of("erase", actor, round(at.timestamp() * 1000))
    return Dispatch(id=id, workflow_id=id, workflow_type="erase_person", input={"actor": actor, "by": by})


def retention_dispatch(start: str) -> Dispatch:
    """Begin, or look at once: once for each `start` of a gateway."""
    return Dispatch(id=id_of("retention", start), workflow_id="retention", workflow_type="keep_retention", signal="started")
