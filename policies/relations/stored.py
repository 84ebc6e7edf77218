"""Relationship checks in process over a model and tuples that somebody keeps and others change meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from policies.model import Question
from policies.relations.answers import Answers
from policies.relations.listing import Listing
from policies.relations.local import LocalRelations
from policies.relations.port import NOTHING_GIVEN, Given
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import TupleReader


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What answers are given from. model_id: names the model on record."""

    model_id: str
    model: SoundModel
    tuples: TupleReader


class WorldReader(Protocol):
    """Keeps up with whoever keeps model and tuples."""

    async def current(self) -> World:
        """As it is now, or was a stated moment ago. The same object while nothing but tuples changes. Raises RelationsUnavailable."""


class StoredRelations:
    """`Relations` and `Explaining` from the current world, whichever that is when a judgement asks."""

    def __init__(self, world: WorldReader) -> None:
        self._world = world
        self._asked: tuple[World, LocalRelations] | None = None

    async def current(self) -> tuple[str, LocalRelations]:
        """The model's id, and what answers from it. Raises RelationsUnavailable."""
        world = await self._world.current()
        if self._asked is None or self._asked[0] is not world:
            self._asked = (world, LocalRelations(world.model, world.tuples))
        return world.model_id, self._asked[1]

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        model_id, local = await self.current()
        return Answers(await local.answers(questions, at=at, given=given), model=model_id)

    async def reasons(
        self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN
    ) -> Mapping[Question, tuple[str, ...]]:
        return await (await self.current())[1].reasons(questions, at=at, given=given)

    async def who(self, relation: str, object: str, *, at: datetime, most: int, given: Given = NOTHING_GIVEN) -> Listing:
        return await (await self.current())[1].who(relation, object, at=at, most=most, given=given)

    async def close(self) -> None:
        return None
