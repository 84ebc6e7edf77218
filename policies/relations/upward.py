"""From a user upwards: the places it reaches by tuples and rewrites, on the way to one relation.

Where only `or` lies on the way, these are exactly the places the user is related to, and the steps are the
proof; where more does, they are candidates to be checked. A user has few teams and a large team has many
members, so this is the cheap end to start from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from policies.model import Json
from policies.relations.proof import Follows, Itself, Proof, Stated, Through
from policies.relations.refusals import TooDeep
from policies.relations.sound_model import SoundModel
from policies.relations.towards import Node
from policies.relations.tuples import RelationshipTuple, TupleReader

Place: TypeAlias = tuple[str, str]
"""An object and a relation to it."""


class Step(NamedTuple):
    """How a place was reached: by a tuple, from a place below, or both. `length`: tuples that lead from object to object so far."""

    by: RelationshipTuple | None
    below: Place | None
    length: int


class Upward:
    """The places one user reaches on the way to a relation, in `places`.

    Raises ConditionFailed where a condition on the way cannot be evaluated, TooDeep for more than `most` places.
    """

    def __init__(self, model: SoundModel, tuples: TupleReader, user: str, target: Node, context: Mapping[str, Json], *, most: int) -> None:
        self._model = model
        self._tuples = tuples
        self._context = context
        self._most = most
        self._towards = model.towards(target)
        self.places: dict[Place, Step] = {}
        self._waiting: deque[Place] = deque()
        self._climb(user)

    def proof(self, place: Place) -> Proof:
        """The steps down from a reached place, as a proof. Meant where only `or` lies on the way."""
        by, below, _ = self.places[place]
        if below is None:
            return Stated(by) if by is not None else Itself(*place)
        rest = self.proof(below)
        return Follows(place[0], below[1], rest) if by is None else Through(by, *below, rest)

    def _climb(self, user: str) -> None:
        name = self._model.asked_user(user)
        self._reach(self._tuples.naming(user), None, 0)
        if name.is_userset:
            self._add((name.object, name.facet), Step(None, None, 0))
        elif name.type in self._towards.public:
            self._reach(self._tuples.naming(f"{name.type}:*"), None, 0)
        while self._waiting:
            self._follow(self._waiting.popleft())

    def _follow(self, place: Place) -> None:
        object, relation = place
        length = self.places[place].length
        for implied in self._towards.implied.get((object.partition(":")[0], relation), ()):
            self._add((object, implied), Step(None, place, length))
        self._reach(self._tuples.naming(f"{object}#{relation}"), place, length + 1)
        pointed = self._towards.pointed.get(relation)
        if pointed:
            for one in self._tuples.naming(object):
                given = pointed.get((one.shape.object_type, one.relation), ())
                if given and self._counts(one):
                    for name in given:
                        self._add((one.object, name), Step(one, place, length + 1))

    def _reach(self, tuples: Iterable[RelationshipTuple], below: Place | None, length: int) -> None:
        for one in tuples:
            if (one.shape.object_type, one.relation) in self._towards.direct and self._counts(one):
                self._add((one.object, one.relation), Step(one, below, length))

    def _counts(self, one: RelationshipTuple) -> bool:
        return self._model.allows(one) and self._model.holds(one, self._context)

    def _add(self, place: Place, step: Step) -> None:
        if place in self.places:
            return
        self.places[place] = step
        self._waiting.append(place)
        if len(self.places) > self._most:
            raise TooDeep(f"more than {self._most} steps did not reach everything")
