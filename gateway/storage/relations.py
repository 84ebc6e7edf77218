"""The port to relationship tuples and models that are kept in the gateway's database.

Every change of a tuple has its number in one sequence without gaps, counted inside the transaction that changes it, so
that who holds an index of all tuples can tell with one small read whether it is current, and what it lacks.
Any method may raise DatabaseUnavailable (temporary).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from gateway.domain.relations import Consequences, Effect, HeldTuple, TupleChange, TupleEdit


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationsHead:
    """How far relations have come: the last change of a tuple (0: none yet) and the model in force (0: the starter model)."""

    sequence: int
    model: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """An authorization model as somebody wrote it. form: `dsl` or `json`."""

    number: int
    text: str
    form: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleFilter:
    """None = any. `relation` goes with an object."""

    object: str | None = None
    relation: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TuplePage:
    """In the order in which they came. `cursor`: pass it to get what follows; None = that was all."""

    tuples: tuple[HeldTuple, ...]
    cursor: int | None


class RelationStore(Protocol):
    """Tuples and models."""

    async def head(self) -> RelationsHead:
        """How far they have come: one small read."""

    async def model(self, number: int) -> StoredModel | None:
        """The model of that number."""

    async def put_model(self, model: StoredModel, *, event: AuditEvent, dispatches: Sequence[Dispatch]) -> None:
        """Bring it into force, together with what belongs on record and what it sets going.

        Its number is one more than what is in force, else RelationsMoved and nothing changes.
        """

    async def edit(self, edit: TupleEdit, consequences: Consequences) -> Effect:
        """Write and delete, all or nothing, with the consequences where anything changed.

        Raises RelationsMoved where another model came into force, and TupleRefused for a deletion that is not the source's.
        """

    async def tuples(self, filter: TupleFilter, *, limit: int, cursor: int | None = None) -> TuplePage:
        """Those that fit."""

    async def held_by(self, source: str) -> Sequence[HeldTuple]:
        """What a place of a forge (`sync:…`) holds, alone or among others."""

    async def synced_sources(self, prefix: str) -> Sequence[str]:
        """The places of forges that hold anything, whose source begins so."""

    async def keep_names(self, names: Mapping[str, str]) -> None:
        """Remember what forges call accounts, teams and the like: ref → name."""

    async def names(self, refs: Collection[str]) -> Mapping[str, str]:
        """The names of those that have one."""

    async def named(self, connection: str, names: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Name in lower case → the refs of that connection that are called so now, sorted; those that nobody is called are not there.

        Several: forges give a name to somebody else once its holder is gone, and who is gone is not always read again.
        """

    async def everything(self) -> tuple[RelationsHead, Sequence[HeldTuple]]:
        """All tuples, of one moment that is not before the head: what changed after that is told by `changes`."""

    async def changes(self, *, after: int, limit: int) -> Sequence[TupleChange]:
        """What changed after that number, in order; `limit` of them at most."""
