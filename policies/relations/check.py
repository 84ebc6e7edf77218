"""Is a user related to an object? OpenFGA's meaning of a check, over tuples in memory.

The meaning is that of openfga/openfga, internal/graph/check.go:
- how outcomes combine under `or`, `and` and `but not` is told in `outcome`: a fault matters only where
  nothing else decides;
- coming back to a question that is still being answered is "no, and a circle": an intersection or
  `but not` with a circle in any operand is itself no and a circle. (On the server the operand that is
  done first decides, so there such answers can vary; a yes here is a yes there whichever that is.)
- a branch that could never lead to this kind of user is not looked at;
- following a tuple to another object is one step; 25 steps are too many.

Stricter than the server in one place: there, a fault in a condition is dropped when another tuple of
the same relation holds, although that one may lead nowhere. Here only a true answer makes a fault
irrelevant, because under `but not` a dropped fault would allow.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from policies.model import Json
from policies.relations.model import Computed, Difference, Direct, Intersection, Rewrite, TupleToUserset, Union
from policies.relations.outcome import CIRCLE, NO, Fault, Negative, Outcome, all_of, any_of, is_proof, unless
from policies.relations.proof import Follows, Itself, Proof, Stated, Through
from policies.relations.refusals import ConditionFailed, TooDeep
from policies.relations.sound_model import SoundModel
from policies.relations.towards import Node
from policies.relations.tuples import RelationshipTuple, TupleReader
from policies.relations.upward import Place, Upward

DEEPEST = 25  # https://openfga.dev/docs/getting-started/setup-openfga/configuration: resolveNodeLimit
MOST_BELOW = 2_000  # places a user reaches, before looking from above is tried instead
MOST_CONDITIONS = 100  # tuples with conditions on the way, before the same
MOST_STEPS = 200_000  # relations and tuples looked at for one question; counted, not timed, so that replay agrees


class _Met(NamedTuple):
    """What a place came to, and how many steps from the question it was met."""

    outcome: Outcome
    depth: int


class Check:
    """Everything asked about one user with one context over one state of the tuples; answers are kept within.

    context: values for conditions; a tuple's own values go before them. climbs: may it start from the user's own tuples,
    where that is cheaper? The answer is the same.
    """

    def __init__(self, model: SoundModel, tuples: TupleReader, user: str, context: Mapping[str, Json], *, climbs: bool = True) -> None:
        self._model = model
        self._tuples = tuples
        self._user = user
        self._context = context
        self._climbs = climbs
        self._name = model.asked_user(user)
        self._wildcard_type = None if self._name.is_userset else self._name.type
        self._known: dict[Place, Outcome] = {}
        self._path: set[Place] = set()
        self._met: dict[Place, _Met] = {}
        self._reached: dict[Node, Upward | None] = {}
        self._adding = False
        self._deciding = 0
        self._went_round = False
        self._steps = 0

    @property
    def went_round(self) -> bool:
        """Did answering lead back to a question still being answered? Then the answer is "no" where it rests on that."""
        return self._went_round

    def proof(self, relation: str, object: str) -> Proof | None:
        """The proof that the user has this relation to the object; None when not related. Raises RelationsRefused."""
        self._model.asked_relation(relation, object)
        self._path.clear()
        self._met.clear()
        self._adding, self._deciding, self._steps = False, 0, 0
        outcome = self._related(object, relation, 0)
        if isinstance(outcome, Fault):
            raise outcome.problem
        return None if isinstance(outcome, Negative) else outcome

    def _related(self, object: str, relation: str, depth: int) -> Outcome:
        key = (object, relation)
        known = self._known.get(key)
        if known is not None:
            return known
        if depth == DEEPEST:
            return Fault(TooDeep(f"the answer lies more than {DEEPEST} steps away, at {object}#{relation}"))
        if key in self._path:
            self._went_round = True
            return CIRCLE
        if self._name.facet == relation and self._name.object == object:
            return Itself(object, relation)
        node = (object[: object.index(":")], relation)
        if not self._model.leads_to(self._name, node):
            return NO
        met = self._met.get(key)
        if met is not None and (met.depth <= depth or not _is_too_deep(met.outcome)):
            return met.outcome
        return self._looked_up(key, node, depth)

    def _looked_up(self, key: Place, node: Node, depth: int) -> Outcome:
        """Evaluate, and keep what is worth keeping.

        A proof or a plain no holds wherever it is asked for again. A circle or a fault may look different from
        elsewhere; but while only unions are followed, it need not be looked into twice before the answer is found:
        a proof anywhere ends the whole search.
        """
        self._count(1)
        adds = self._model.only_adds(node)
        if adds and self._climbs and self._model.comes_back(node):
            known = self._from_below(key, node, depth)
            if known is not None:
                return known
        outermost = adds and not self._adding
        self._adding = self._adding or adds
        self._path.add(key)
        outcome = self._rewritten(self._model.rewrite(node), key[0], node, depth)
        self._path.discard(key)
        if outcome is NO or is_proof(outcome):
            self._known[key] = outcome
        elif adds:
            self._met[key] = _Met(outcome, depth)
        if outermost:
            self._adding = False
            if outcome is CIRCLE:
                self._known.update((place, CIRCLE) for place, met in self._met.items() if met.outcome is CIRCLE)
            self._met.clear()
        return outcome

    def _from_below(self, place: Place, node: Node, depth: int) -> Outcome | None:
        """The answer by way of what the user reaches; None where only looking from above can tell.

        Cheaper for relations that lead to themselves, as teams within teams do: above lie all members of all
        teams below, from below only the user's own teams.

        A yes is one wherever it was found. For a no nothing may be left that a look from above would stumble over:
        a condition without an answer, or a circle where that would matter.
        """
        below = self._below(node)
        if below is None:
            return None
        step = below.places.get(place)
        if step is not None:
            return below.proof(place) if depth + step.length < DEEPEST else None
        return NO if self._deciding == 0 else None

    def _below(self, node: Node) -> Upward | None:
        """What the user reaches on the way to this relation; None if that is much, or conditions on the way cannot be evaluated."""
        if node not in self._reached:
            self._reached[node] = self._climbed(node)
        return self._reached[node]

    def _climbed(self, node: Node) -> Upward | None:
        conditional = [self._tuples.conditional(*read) for read in self._model.towards(node).read]
        if sum(len(found) for found in conditional) > MOST_CONDITIONS:
            return None
        try:
            for one in itertools.chain.from_iterable(conditional):
                if self._model.allows(one):
                    self._model.holds(one, self._context)
            return Upward(self._model, self._tuples, self._user, node, self._context, most=MOST_BELOW)
        except (ConditionFailed, TooDeep):
            return None

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise TooDeep(f"more than {MOST_STEPS} steps did not answer the question")

    def _rewritten(self, rewrite: Rewrite, object: str, node: Node, depth: int) -> Outcome:
        match rewrite:
            case Direct():
                return self._direct(object, node, depth)
            case Computed(relation=relation):
                outcome = self._related(object, relation, depth)
                return Follows(object, relation, outcome) if is_proof(outcome) else outcome
            case TupleToUserset():
                return self._from(rewrite, object, depth)
            case Union(children=children):
                return any_of(self._rewritten(child, object, node, depth) for child in children)
            case Intersection() | Difference():
                self._deciding += 1
                outcome = self._decided(rewrite, object, node, depth)
                self._deciding -= 1
                return outcome

    def _decided(self, rewrite: Intersection | Difference, object: str, node: Node, depth: int) -> Outcome:
        if isinstance(rewrite, Intersection):
            return self._all(rewrite.children, object, node, depth)
        return self._unless(rewrite.base, rewrite.subtract, object, node, depth)

    def _all(self, operands: Sequence[Rewrite], object: str, node: Node, depth: int) -> Outcome:
        found: list[Outcome] = []
        for operand in operands:
            found.append(self._rewritten(operand, object, node, depth))
            if self._decides(found[-1], node):
                return found[-1]
        return all_of(found)

    def _unless(self, base: Rewrite, subtract: Rewrite, object: str, node: Node, depth: int) -> Outcome:
        kept = self._rewritten(base, object, node, depth)
        if self._decides(kept, node):
            return kept
        return unless(kept, self._rewritten(subtract, object, node, depth))

    def _decides(self, outcome: Outcome, node: Node) -> bool:
        """Need the other operands be asked? Not after a circle, and after a no only if they might meet one."""
        return outcome is CIRCLE or (outcome is NO and not self._model.may_circle(node))

    def _direct(self, object: str, node: Node, depth: int) -> Outcome:
        _, relation = node
        candidates: list[RelationshipTuple] = []
        stated = self._tuples.stated(object, relation, self._user)
        if stated is not None:
            candidates.append(stated)
        if self._wildcard_type is not None:
            candidates.extend(self._tuples.public(object, relation, self._wildcard_type))
        found = any_of(self._holds(one) or Stated(one) for one in candidates if self._model.allows(one))
        if is_proof(found):
            return found
        return any_of((found, self._over(self._tuples.usersets(object, relation), None, depth)))

    def _from(self, rewrite: TupleToUserset, object: str, depth: int) -> Outcome:
        return self._over(self._tuples.written(object, rewrite.tupleset), rewrite.computed, depth)

    def _over(self, tuples: Collection[RelationshipTuple], computed: str | None, depth: int) -> Outcome:
        """Is the user related through any of these: by the userset a tuple names, or by `computed` of the object it points to?"""
        if not tuples:
            return NO
        self._count(len(tuples))
        return any_of(self._through(one, computed or one.shape.facet, depth) for one in tuples if self._model.allows(one))

    def _through(self, one: RelationshipTuple, relation: str, depth: int) -> Outcome:
        refused = self._holds(one)
        if refused is not None:
            return refused
        if self._model.relation(one.shape.user_type, relation) is None:
            return NO
        outcome = self._related(one.user_object, relation, depth + 1)
        return Through(one, one.user_object, relation, outcome) if is_proof(outcome) else outcome

    def _holds(self, one: RelationshipTuple) -> Outcome | None:
        """None when the tuple counts; NO when its condition does not hold; a fault when that cannot be said."""
        if one.condition is None:
            return None
        try:
            return None if self._model.holds(one, self._context) else NO
        except ConditionFailed as problem:
            return Fault(ConditionFailed(f"{problem}, in {one}"))


def _is_too_deep(outcome: Outcome) -> bool:
    return isinstance(outcome, Fault) and isinstance(outcome.problem, TooDeep)
