"""Which objects is a user related to, and which users is an object: OpenFGA's list objects and list users.

Both find candidates by walking the tuples generously and then ask `Check` about each, so that a list can
never say more than a check does. What is walked and what is asked is counted, and the list is capped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from policies.model import Json
from policies.relations.check import DEEPEST, MOST_STEPS, Check
from policies.relations.model import Computed, Difference, Direct, Intersection, Rewrite, TupleToUserset, Union
from policies.relations.refusals import QuestionRefused, TooDeep
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import RelationshipTuple, TupleReader
from policies.relations.upward import Place, Upward

MOST_RESULTS = 1000  # the server's listObjectsMaxResults and listUsersMaxResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Names in order. Not `complete`: there are more than were asked for."""

    names: tuple[str, ...]
    complete: bool = True


def objects(
    model: SoundModel,
    tuples: TupleReader,
    user: str,
    relation: str,
    type_name: str,
    context: Mapping[str, Json],
    *,
    most: int = MOST_RESULTS,
) -> Listing:
    """The objects of the type the user has this relation to. Raises QuestionRefused, and what a check of any of them raises."""
    model.asked_node(type_name, relation)
    check = Check(model, tuples, user, context)
    reached = Upward(model, tuples, user, (type_name, relation), context, most=MOST_STEPS).places
    candidates = sorted(name for name, having in reached if having == relation and name.partition(":")[0] == type_name)
    return _related((name for name in candidates if check.proof(relation, name) is not None), most)


def users(
    model: SoundModel,
    tuples: TupleReader,
    object: str,
    relation: str,
    kind: tuple[str, str | None],
    context: Mapping[str, Json],
    *,
    most: int = MOST_RESULTS,
) -> Listing:
    """The users of a kind (a type, or a type and its relation for usersets) that have this relation to the object.

    Everybody of the type is listed as `type:*`, beside those who are also named. Raises QuestionRefused, and
    ConditionFailed also for a condition on the way that has nothing to do with those who would be listed.
    """
    type_name, facet = kind
    if type_name not in model.model.types:
        raise QuestionRefused(f"the model has no type '{type_name}', asked for as users")
    if facet is not None:
        model.asked_node(type_name, facet)
    model.asked_relation(relation, object)
    candidates = sorted(_Mentioned(model, tuples, kind, context).by((object, relation)))
    return _related((name for name in candidates if Check(model, tuples, name, context).proof(relation, object) is not None), most)


def _related(names: Iterator[str], most: int) -> Listing:
    found: list[str] = []
    for name in names:
        if len(found) == most:
            return Listing(names=tuple(found), complete=False)
        found.append(name)
    return Listing(names=tuple(found))


class _Found(NamedTuple):
    """Users tuples name: as related, and as taken away by a `but not` (which another `but not` gives back)."""

    named: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()


_NOBODY = _Found()


def _together(parts: Iterable[_Found]) -> _Found:
    found = list(parts)
    return _Found(_either(part.named for part in found), _either(part.taken for part in found))


def _either(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)


class _Mentioned:
    """The users of a kind that tuples mention on the way to a relation: those a server would list if a check agrees.

    What is found grows until nothing is added, since relations may lead round in circles.
    """

    def __init__(self, model: SoundModel, tuples: TupleReader, kind: tuple[str, str | None], context: Mapping[str, Json]) -> None:
        self._model = model
        self._tuples = tuples
        self._type, self._facet = kind
        self._everybody = f"{self._type}:*"
        self._context = context
        self._found: dict[Place, _Found] = {}
        self._done: set[Place] = set()
        self._path: set[Place] = set()
        self._circular = False
        self._steps = 0

    def by(self, place: Place) -> frozenset[str]:
        while True:
            before = dict(self._found)
            self._done.clear()
            self._circular = False
            found = self._at(place, 0)
            if not self._circular or self._found == before:
                return found.named

    def _at(self, place: Place, depth: int) -> _Found:
        if place in self._path:
            self._circular = True
            return self._found.get(place, _NOBODY)
        if place in self._done:
            return self._found[place]
        if depth >= DEEPEST:
            raise TooDeep(f"users lie more than {DEEPEST} steps away, at {place[0]}#{place[1]}")
        self._count()
        object, relation = place
        type_name = object.partition(":")[0]
        self._path.add(place)
        found = self._rewritten(self._model.rewrite((type_name, relation)), object, relation, depth)
        if (type_name, relation) == (self._type, self._facet):
            found = _together((found, _Found(named=frozenset({f"{object}#{relation}"}))))
        self._path.discard(place)
        self._done.add(place)
        self._found[place] = found
        return found

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooDeep(f"more than {MOST_STEPS} steps did not find all users")

    def _rewritten(self, rewrite: Rewrite, object: str, relation: str, depth: int) -> _Found:
        match rewrite:
            case Direct():
                return self._stated(object, relation, depth)
            case Computed(relation=implying):
                return self._at((object, implying), depth + 1)
            case TupleToUserset(computed=computed, tupleset=tupleset):
                parents = [one for one in self._counting(object, tupleset) if self._model.relation(one.shape.user_type, computed)]
                return _together(self._at((one.user_object, computed), depth + 1) for one in parents)
            case Union(children=children):
                return _Found(named=_together(self._rewritten(child, object, relation, depth) for child in children).named)
            case Intersection(children=children):
                return self._in_all([self._rewritten(child, object, relation, depth).named for child in children])
            case Difference(base=base, subtract=subtract):
                return self._unless(self._rewritten(base, object, relation, depth), self._rewritten(subtract, object, relation, depth))

    def _stated(self, object: str, relation: str, depth: int) -> _Found:
        plain: set[str] = set()
        over: list[_Found] = []
        for one in self._counting(object, relation):
            if one.shape.facet not in ("", "*"):
                over.append(self._at((one.user_object, one.shape.facet), depth + 1))
            elif self._facet is None and one.shape.user_type == self._type:
                plain.add(one.user)
        return _together((_Found(named=frozenset(plain)), *over))

    def _counting(self, object: str, relation: str) -> Iterator[RelationshipTuple]:
        """The tuples the model allows and whose condition holds. Raises ConditionFailed."""
        for one in self._tuples.written(object, relation):
            self._count()
            if self._model.allows(one) and self._model.holds(one, self._context):
                yield one

    def _in_all(self, parts: list[frozenset[str]]) -> _Found:
        """Those each part mentions by name, or by mentioning everybody."""
        return _Found(named=frozenset(user for user in _either(parts) if all(user in part or self._everybody in part for part in parts)))

    def _unless(self, base: _Found, subtract: _Found) -> _Found:
        public = self._everybody in base.named
        lost = {user for user in base.named if user in subtract.named or self._everybody in subtract.named}
        return _Found(
            named=base.named | (subtract.taken if public else frozenset()),
            taken=base.taken | lost | (subtract.named if public else frozenset()),
        )
