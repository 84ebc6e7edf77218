"""Why a server's answer is yes: the same evaluator, over the few of the server's tuples that it looks at.

A proof needs little: the evaluator is run over what has been read, says what it misses, and is run again with that. It looks
from the object, since a user's own tuples cannot be asked for without saying of which type. What needs more reads than a page
can wait for is not explained: this is shown beside an answer and never is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.model import Json, Question
from policies.relations.check import Check
from policies.relations.proof import Proof
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import LayeredTuples, RelationshipTuple, TupleIndex

MOST_READS = 200  # for all that is explained together
LONGEST_ROW = 300  # tuples of one object and relation that are looked through


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Tuples of an object and a relation. user None: all of them."""

    object: str
    relation: str
    user: str | None = None


class ReadsTuples(Protocol):
    """Whoever reads rows of a store."""

    async def tuples(self, row: Row, *, most: int) -> Sequence[RelationshipTuple] | None:
        """All of the row; None for more than `most`. Raises RelationsError."""


class _Missing(Exception):
    """The evaluator looked at what has not been read."""

    def __init__(self, row: Row) -> None:
        super().__init__(str(row))
        self.row = row


class Explanation:
    """Proofs from one store, what was read for one serving the next."""

    def __init__(self, model: SoundModel, store: ReadsTuples, context: Mapping[str, Json]) -> None:
        self._model, self._store, self._context = model, store, context
        self._read = _ReadTuples(model)
        self._left = MOST_READS

    async def proof(self, question: Question, along: Sequence[RelationshipTuple] = ()) -> Proof | None:
        """None where the answer is no by now, or would take too much reading. Raises RelationsError."""
        seen = LayeredTuples(along, self._read) if along else self._read
        while True:
            try:
                check = Check(self._model, seen, question.user, self._context, climbs=False)
                return check.proof(question.relation, question.object)
            except _Missing as missing:
                if not await self._fetched(missing.row):
                    return None

    async def _fetched(self, row: Row) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        found = await self._store.tuples(row, most=LONGEST_ROW)
        if found is None:
            return False
        self._read.add(row, found)
        return True


class _ReadTuples:
    """`TupleReader` over what has been read; raises _Missing for what has not."""

    def __init__(self, model: SoundModel) -> None:
        self._model = model
        self._index = TupleIndex()
        self._rows: set[Row] = set()

    @property
    def version(self) -> int:
        return self._index.version

    def add(self, row: Row, tuples: Sequence[RelationshipTuple]) -> None:
        self._rows.add(row)
        for one in tuples:
            self._index.add(one)

    def stated(self, object: str, relation: str, user: str) -> RelationshipTuple | None:
        if Row(object=object, relation=relation) not in self._rows:
            self._need(Row(object=object, relation=relation, user=user))
        return self._index.stated(object, relation, user)

    def public(self, object: str, relation: str, user_type: str) -> Collection[RelationshipTuple]:
        known = self._model.relation(object.partition(":")[0], relation)
        if known is None or not any(one.wildcard and one.type == user_type for one in known.restrictions):
            return ()
        found = self.stated(object, relation, f"{user_type}:*")
        return () if found is None else (found,)

    def usersets(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        known = self._model.relation(object.partition(":")[0], relation)
        if known is None or not any(one.relation for one in known.restrictions):
            return ()
        self._need(Row(object=object, relation=relation))
        return self._index.usersets(object, relation)

    def written(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        self._need(Row(object=object, relation=relation))
        return self._index.written(object, relation)

    def naming(self, user: str) -> Collection[RelationshipTuple]:
        raise AssertionError("a check that does not climb looks from the object")

    def conditional(self, object_type: str, relation: str) -> Collection[RelationshipTuple]:
        raise AssertionError("a check that does not climb looks from the object")

    def __iter__(self) -> Iterator[RelationshipTuple]:
        return iter(self._index)

    def _need(self, row: Row) -> None:
        if row not in self._rows:
            raise _Missing(row)
