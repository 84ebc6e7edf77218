"""Relations this gateway keeps itself: everything tier 1 asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.clock import Clock
from gateway.errors import StorageError
from gateway.operations.relate import Relate
from gateway.storage.followed_tuples import model_id
from gateway.storage.relations import RelationStore
from policies import Json
from policies.relations import Relations, RelationshipTuple
from policies.relations.asking import context_at
from policies.relations.evaluator import Evaluator
from policies.relations.listing import Listing
from policies.relations.proof import sentences
from policies.relations.starter import starter_text


class Answering(Protocol):
    """What answers in process."""

    @property
    def evaluator(self) -> Evaluator:
        """Model and tuples."""


class CurrentRelations(Relations, Protocol):
    """Whoever answers from what is kept, as it is now."""

    async def current(self) -> tuple[str, Answering]:
        """The model's id and what answers from it. Raises RelationsUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInForce:
    """number 0: the one to begin with, which nobody put there."""

    id: str
    number: int
    text: str
    form: str
    at: datetime | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRelations:
    """The store, the orders that change it, and the answers."""

    store: RelationStore
    relate: Relate
    relations: CurrentRelations
    clock: Clock

    async def model(self) -> ModelInForce:
        """As it was written."""
        number = (await self.store.head()).model
        if number == 0:
            text = starter_text()
            return ModelInForce(id=model_id(0, text), number=0, text=text, form="dsl", at=None, by=None)
        stored = await self.store.model(number)
        if stored is None:
            raise StorageError(f"relationship model {number} is in force but is not there")
        return ModelInForce(id=model_id(number, stored.text), number=number, text=stored.text, form=stored.form, at=stored.at, by=stored.by)

    async def path(
        self, user: str, relation: str, object: str, *, context: Mapping[str, Json], contextual: Sequence[RelationshipTuple] = ()
    ) -> tuple[str, tuple[str, ...] | None]:
        """The model's id, and why the user has this relation to the object, in sentences; None when not. Raises RelationsError."""
        model, answering = await self.relations.current()
        proof = answering.evaluator.proof(user, relation, object, context=self._told(context), contextual=contextual)
        return model, None if proof is None else tuple(sentences(proof))

    async def objects(
        self,
        user: str,
        relation: str,
        type_name: str,
        *,
        context: Mapping[str, Json],
        contextual: Sequence[RelationshipTuple] = (),
        most: int,
    ) -> Listing:
        """The objects of a type the user has this relation to. Raises RelationsError."""
        _, answering = await self.relations.current()
        told = self._told(context)
        return answering.evaluator.objects(user, relation, type_name, context=told, contextual=contextual, most=most)

    async def users(
        self, object: str, relation: str, kind: str, *, context: Mapping[str, Json], contextual: Sequence[RelationshipTuple] = (), most: int
    ) -> Listing:
        """The users of a kind (`user`, `team#member`) that have this relation to the object. Raises RelationsError."""
        _, answering = await self.relations.current()
        type_name, _, facet = kind.partition("#")
        told = self._told(context)
        return answering.evaluator.users(object, relation, type_name, facet or None, context=told, contextual=contextual, most=most)

    def _told(self, given: Mapping[str, Json]) -> dict[str, Json]:
        """What conditions know: what was given, over the time it is now."""
        return {**context_at(self.clock()), **given}
