"""The index of all tuples in memory, kept current by the sequence of their changes.

The head is read, one row: where it has moved, by whichever gateway, what is missing is read and put in. `newest` reads it
every time and misses nothing that was committed before it was called; `current` reads it again after a write through this
gateway, and otherwise where the last look is older than STALENESS. A judgement looks once more, by `newest`, when it has
been recorded, so that no change keeps an answer that was of yesterday (`operations.ask_again`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Sequence

from gateway.domain.relations import HeldTuple, TupleChange
from gateway.errors import DatabaseUnavailable, StorageError
from gateway.storage.relations import RelationsHead, RelationStore, StoredModel
from policies.errors import RelationsUnavailable
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_from_json
from policies.relations.model import AuthorizationModel
from policies.relations.refusals import ModelRefused
from policies.relations.sound_model import SoundModel
from policies.relations.starter import starter_text
from policies.relations.stored import World
from policies.relations.tuples import TupleIndex

STALENESS = 0.05
"""Seconds by which `current` may miss what another gateway wrote; what this one wrote it never misses."""
_AT_ONCE = 1000
"""Changes that are put in one by one, on the event loop; further behind, the index is built anew, off it."""


class FollowedTuples:
    """`WorldReader` over a `RelationStore`. staleness: seconds, see STALENESS."""

    def __init__(self, store: RelationStore, *, staleness: float = STALENESS) -> None:
        self._store = store
        self._staleness = staleness
        self._looked = -math.inf
        self._writes = 0
        self._catching_up = asyncio.Lock()
        self._at = RelationsHead(sequence=0, model=-1)
        self._index = TupleIndex()
        self._world: World | None = None

    def outdated(self) -> None:
        """Something was written through this gateway: the next look reads the head."""
        self._looked = -math.inf
        self._writes += 1

    async def current(self) -> World:
        """At most STALENESS old. Raises RelationsUnavailable where the database or the model in it cannot be read."""
        if self._world is not None and time.monotonic() - self._looked < self._staleness:
            return self._world
        return await self.newest()

    async def newest(self) -> World:
        """Nothing committed before this call is missing. Raises RelationsUnavailable."""
        looked, writes = time.monotonic(), self._writes
        try:
            head = await self._store.head()
            if self._world is None or self._lacks(head):
                async with self._catching_up:
                    await self._catch_up(head)
        except (DatabaseUnavailable, StorageError) as problem:
            raise RelationsUnavailable(f"the relations cannot be read: {problem}") from problem
        assert self._world is not None, "it has just been caught up with"
        if writes == self._writes:  # else the look may have been before the write
            self._looked = max(self._looked, looked)
        return self._world

    def _lacks(self, head: RelationsHead) -> bool:
        return self._at.sequence < head.sequence or self._at.model < head.model

    async def _catch_up(self, head: RelationsHead) -> None:
        if self._world is not None and not self._lacks(head):
            return
        model = self._world.model if self._world is not None else None
        model_id = self._world.model_id if self._world is not None else ""
        if model is None or self._at.model < head.model:
            model_id, model = await self._model(head.model)
        index, sequence = await self._tuples(head)
        # from here on without awaiting: nobody sees one half of it
        if self._world is None or index is not self._world.tuples or model is not self._world.model:
            self._world = World(model_id=model_id, model=model, tuples=index)
        self._index, self._at = index, RelationsHead(sequence=sequence, model=max(head.model, self._at.model))

    async def _tuples(self, head: RelationsHead) -> tuple[TupleIndex, int]:
        """The index and how far it reaches: the one at hand with what was missing put in, or a new one."""
        if self._world is not None and head.sequence - self._at.sequence <= _AT_ONCE:
            missing = await self._store.changes(after=self._at.sequence, limit=2 * _AT_ONCE)
            if len(missing) < 2 * _AT_ONCE:
                return self._index, _put_in(self._index, missing, self._at.sequence)
        reached, held = await self._store.everything()
        index = await asyncio.to_thread(_built, held)
        while missing := await self._store.changes(after=reached.sequence, limit=_AT_ONCE):
            reached = RelationsHead(sequence=_put_in(index, missing, reached.sequence), model=reached.model)
        return index, reached.sequence

    async def _model(self, number: int) -> tuple[str, SoundModel]:
        stored = await self._store.model(number) if number else None
        if number and stored is None:
            raise StorageError(f"relationship model {number} is in force but is not there")
        return await asyncio.to_thread(_sound, stored)


class NewestTuples:
    """`WorldReader` that reads the head every time."""

    def __init__(self, followed: FollowedTuples) -> None:
        self._followed = followed

    async def current(self) -> World:
        """Raises RelationsUnavailable."""
        return await self._followed.newest()


def model_id(number: int, text: str) -> str:
    """How a model is named on record: its number (`starter` for the one to begin with) and what identifies its text."""
    return f"{number or 'starter'}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def parsed(text: str, form: str) -> AuthorizationModel:
    """A model in DSL or JSON. Raises ModelRefused."""
    return model_from_json(json.loads(text)) if form == "json" else parse_model(text)


def _sound(stored: StoredModel | None) -> tuple[str, SoundModel]:
    text, form, number = (starter_text(), "dsl", 0) if stored is None else (stored.text, stored.form, stored.number)
    try:
        return model_id(number, text), SoundModel(parsed(text, form))
    except ModelRefused as problem:
        raise StorageError(f"relationship model {number} in the database cannot be used: {problem}") from problem


def _built(held: Sequence[HeldTuple]) -> TupleIndex:
    return TupleIndex(one.tuple for one in held)


def _put_in(index: TupleIndex, changes: Sequence[TupleChange], sequence: int) -> int:
    """Put changes in, in order; how far the index reaches then."""
    for change in changes:
        if change.written:
            index.add(change.tuple)
        else:
            index.discard(change.tuple)
        sequence = change.sequence
    return sequence
