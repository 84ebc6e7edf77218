"""A model proven sound, with what answering needs worked out once: which tuples it allows, which way leads where.

Everything is derived from the model; nothing here reads tuples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.model import Json
from policies.relations.conditions import INLINE, CompiledCondition, inline_condition
from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Difference,
    Direct,
    Intersection,
    Relation,
    Rewrite,
    TupleToUserset,
    Union,
    leaves,
)
from policies.relations.names import UserName, object_type, relation_name, user_name
from policies.relations.refusals import ModelRefused, QuestionRefused, TupleRefused
from policies.relations.soundness import HARMLESS, problems
from policies.relations.towards import Node, Towards
from policies.relations.tuples import RelationshipTuple, Shape


class SoundModel:
    """The model and its tables. Raises ModelRefused with every problem."""

    def __init__(self, model: AuthorizationModel) -> None:
        found = [problem for problem in problems(model) if problem.code not in HARMLESS]
        if found:
            raise ModelRefused(found)
        self.model = model
        self.conditions = {name: CompiledCondition(condition) for name, condition in model.conditions.items()}
        self.relations: Mapping[Node, Relation] = {
            (definition.name, relation.name): relation for definition in model.types.values() for relation in definition.relations.values()
        }
        self._allowed = frozenset(self._shapes())
        self._ways: dict[Node, Towards] = {}
        self._circular: dict[Node, bool] = {}
        self._adding: dict[Node, bool] = {}
        self._returning: dict[Node, bool] = {}
        self._sources: dict[Node, frozenset[Node | str]] = {}

    def _shapes(self) -> Iterator[Shape]:
        for (type_name, name), relation in self.relations.items():
            for one in relation.restrictions:
                yield Shape(type_name, name, one.type, "*" if one.wildcard else one.relation or "", one.condition)

    def relation(self, type_name: str, name: str) -> Relation | None:
        return self.relations.get((type_name, name))

    def why_not(self, one: RelationshipTuple) -> str | None:
        """Why the model does not allow this tuple; None when it does."""
        shape = one.shape
        if shape.object_type not in self.model.types:
            return f"there is no type '{shape.object_type}'"
        if self.relation(shape.object_type, shape.relation) is None:
            return f"the type '{shape.object_type}' has no relation '{shape.relation}'"
        if shape not in self._allowed:
            return self._why_not_allowed(shape)
        if one.condition == INLINE:
            return _why_not_inline(one)
        if one.condition is not None and not self.conditions[one.condition].allows_context(one.context):
            return f"its context does not fit the parameters of '{one.condition}'"
        return None

    def allows(self, one: RelationshipTuple) -> bool:
        """Does the model allow this tuple? What it does not allow is ignored when read."""
        if one.shape not in self._allowed:
            return False
        return (not one.context and one.condition != INLINE) or self.why_not(one) is None

    def holds(self, one: RelationshipTuple, context: Mapping[str, Json]) -> bool:
        """Does the condition of an allowed tuple hold? The tuple's own values go before the context's. Raises ConditionFailed."""
        if one.condition is None:
            return True
        if one.condition == INLINE:
            return inline_condition(one.context).holds(context)
        return self.conditions[one.condition].holds({**context, **one.context})

    def _why_not_allowed(self, shape: Shape) -> str:
        allowed = sorted(str(one) for one in self.relations[shape.object_type, shape.relation].restrictions)
        return f"'{shape.object_type}#{shape.relation}' takes {', '.join(allowed) if allowed else 'no tuples'}"

    def asked_user(self, user: str) -> UserName:
        """The user's parts. Raises QuestionRefused for a malformed one, or a kind the model does not know."""
        try:
            name = user_name(user)
        except TupleRefused as problem:
            raise QuestionRefused(str(problem)) from problem
        if name.type not in self.model.types:
            raise self._unknown(f"type '{name.type}'")
        if name.is_userset and self.relation(name.type, name.facet) is None:
            raise self._unknown(f"relation '{name.facet}' of the type '{name.type}'")
        return name

    def asked_relation(self, relation: str, object: str) -> Node:
        """The relation and the object's type. Raises QuestionRefused for a malformed name, or one the model does not know."""
        try:
            type_name, name = object_type(object), relation_name(relation)
        except TupleRefused as problem:
            raise QuestionRefused(str(problem)) from problem
        return self.asked_node(type_name, name)

    def asked_node(self, type_name: str, relation: str) -> Node:
        """The type and its relation. Raises QuestionRefused where the model does not know them."""
        if type_name not in self.model.types:
            raise self._unknown(f"type '{type_name}'")
        if self.relation(type_name, relation) is None:
            raise self._unknown(f"relation {relation[:60]!a} of the type '{type_name}'")
        return type_name, relation

    def _unknown(self, what: str) -> QuestionRefused:
        refusal = QuestionRefused(f"the model has no {what}")
        refusal.advice = "ask with types and relations of the model, or add them to it"
        return refusal

    def rewrite(self, node: Node) -> Rewrite:
        """How this relation comes about. The node is one of the model's."""
        return self.relations[node].rewrite

    def leads_to(self, user: UserName, node: Node) -> bool:
        """Can a user of this kind ever have this relation, whatever the tuples?"""
        sources = self._sources.get(node)
        if sources is None:
            sources = self._sources[node] = frozenset(self._collect(node))
        if user.is_userset:
            return (user.type, user.facet) in sources
        return user.type in sources or f"{user.type}:*" in sources

    def towards(self, node: Node) -> Towards:
        """The way to this relation from below."""
        known = self._ways.get(node)
        if known is None:
            known = self._ways[node] = Towards(self.relations, node)
        return known

    def may_circle(self, node: Node) -> bool:
        """Can answering for this relation lead round in a circle, if the tuples do?"""
        known = self._circular.get(node)
        if known is None:
            nodes = [source for source in self._collect(node) if not isinstance(source, str)]
            known = self._circular[node] = any(self.comes_back(one) for one in nodes)
        return known

    def only_adds(self, node: Node) -> bool:
        """Does the relation follow from others by `or` alone, all the way?"""
        known = self._adding.get(node)
        if known is None:
            nodes = [source for source in self._collect(node) if not isinstance(source, str)]
            known = self._adding[node] = all(_is_adding(self.relations[one].rewrite) for one in nodes)
        return known

    def comes_back(self, node: Node) -> bool:
        """Can the relation follow from itself, to the same or another object?"""
        known = self._returning.get(node)
        if known is None:
            known = self._returning[node] = any(not isinstance(step, str) and node in self._collect(step) for step in self._steps(node))
        return known

    def _collect(self, start: Node) -> Iterator[Node | str]:
        seen, waiting = {start}, [start]
        while waiting:
            node = waiting.pop()
            yield node
            for step in self._steps(node):
                if isinstance(step, str):
                    yield step
                elif step not in seen:
                    seen.add(step)
                    waiting.append(step)

    def _steps(self, node: Node) -> Iterator[Node | str]:
        relation = self.relations[node]
        for leaf in leaves(relation.rewrite):
            match leaf:
                case Direct():
                    for one in relation.restrictions:
                        yield (one.type, one.relation) if one.relation else f"{one.type}:*" if one.wildcard else one.type
                case Computed(relation=name):
                    yield node[0], name
                case TupleToUserset(computed=computed, tupleset=tupleset):
                    for one in self.relations[node[0], tupleset].restrictions:
                        if (one.type, computed) in self.relations:
                            yield one.type, computed


def _is_adding(rewrite: Rewrite) -> bool:
    match rewrite:
        case Union(children=children):
            return all(_is_adding(child) for child in children)
        case Intersection() | Difference():
            return False
        case _:
            return True


def _why_not_inline(one: RelationshipTuple) -> str | None:
    try:
        inline_condition(one.context)
    except ModelRefused as problem:
        return "; ".join(found.message for found in problem.problems)
    return None
