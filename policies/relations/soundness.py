"""Does a model fit together? Every problem found, with its place.

The rules are those of openfga/language's validation and of the server that stores the model: names
that exist, parents that are plain objects, relations somebody can have, no definition in a circle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from policies.relations.conditions import INLINE
from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Difference,
    Direct,
    Intersection,
    Position,
    Relation,
    Restriction,
    Rewrite,
    TupleToUserset,
    TypeDefinition,
    Union,
    leaves,
)
from policies.relations.refusals import ModelProblem

SCHEMA_VERSIONS = ("1.1", "1.2")
MOST_TYPES = 100
HARMLESS = frozenset({"repetition", "condition-not-used"})
"""What the language's tools refuse and a server takes: it changes no answer."""

_TYPE_NAME = re.compile(r"[^:#@*\s]{1,254}")
_RELATION_NAME = re.compile(r"[^:#@*\s]{1,50}")
_OWN_WORDS = ("self", "this")


def problems(model: AuthorizationModel) -> list[ModelProblem]:
    """Everything wrong with the model; empty for a sound one. Circles are looked for once all names exist."""
    if model.schema_version not in SCHEMA_VERSIONS:
        message = f"schema {model.schema_version} is not one of {', '.join(SCHEMA_VERSIONS)}"
        return [ModelProblem(code="invalid-schema", message=message, at=model.schema_at)]
    found = [*_names(model), *_references(model), *_conditions(model)]
    return found if any(problem.code not in HARMLESS for problem in found) else [*found, *_loops(model)]


def _names(model: AuthorizationModel) -> Iterator[ModelProblem]:
    if len(model.types) > MOST_TYPES:
        yield ModelProblem(code="too-many-types", message=f"a model has at most {MOST_TYPES} types, found {len(model.types)}")
    for definition in (*model.types.values(), *model.repeated):
        if definition.name in _OWN_WORDS:
            yield ModelProblem(code="reserved-type", message=f"a type cannot be named '{definition.name}'", at=definition.at)
        elif not _TYPE_NAME.fullmatch(definition.name):
            message = "a type's name has 1 to 254 characters, none of ':', '#', '@', '*' and space"
            yield ModelProblem(code="invalid-name", message=message, at=definition.at)
        for relation in definition.relations.values():
            if relation.name in _OWN_WORDS:
                yield ModelProblem(code="reserved-relation", message=f"a relation cannot be named '{relation.name}'", at=relation.at)
            elif not _RELATION_NAME.fullmatch(relation.name):
                message = "a relation's name has 1 to 50 characters, none of ':', '#', '@', '*' and space"
                yield ModelProblem(code="invalid-name", message=message, at=relation.at)
    for definition in model.repeated:
        first = model.types[definition.name]
        yield ModelProblem(code="duplicate", message=f"the type '{definition.name}' is defined twice", at=first.at)


def _references(model: AuthorizationModel) -> Iterator[ModelProblem]:
    for definition in model.types.values():
        for relation in definition.relations.values():
            yield from _arity(relation.rewrite, f"{definition.name}#{relation.name}", relation.at)
            yield from _restrictions(model, definition, relation)
            yield from _leaves(model, definition, relation)


def _arity(rewrite: Rewrite, name: str, at: Position | None) -> Iterator[ModelProblem]:
    match rewrite:
        case Union(children=children) | Intersection(children=children):
            if len(children) < 2:
                yield ModelProblem(code="invalid-rewrite", message=f"'{name}' combines fewer than two", at=at)
            for child in children:
                yield from _arity(child, name, at)
        case Difference(base=base, subtract=subtract):
            yield from _arity(base, name, at)
            yield from _arity(subtract, name, at)
        case _:
            return


def _restrictions(model: AuthorizationModel, definition: TypeDefinition, relation: Relation) -> Iterator[ModelProblem]:
    direct = any(isinstance(leaf, Direct) for leaf in leaves(relation.rewrite))
    if direct != bool(relation.restrictions):
        lacks = "names no user types" if direct else "names user types but is not direct"
        yield ModelProblem(code="assignable", message=f"'{definition.name}#{relation.name}' {lacks}", at=relation.at)
    for one in _repeated(relation.restrictions):
        yield ModelProblem(code="repetition", message=f"'{one}' stands twice in '{relation.name}'", at=one.at)
    for one in relation.restrictions:
        yield from _restriction(model, one)


def _repeated(restrictions: Iterable[Restriction]) -> Iterator[Restriction]:
    first: dict[Restriction, Restriction] = {}
    for one in restrictions:
        if first.setdefault(one, one) is not one:
            yield first[one]


def _restriction(model: AuthorizationModel, one: Restriction) -> Iterator[ModelProblem]:
    if one.type not in model.types:
        yield ModelProblem(code="invalid-type", message=f"there is no type '{one.type}'", at=one.at)
    elif one.relation is not None and model.relation(one.type, one.relation) is None:
        yield ModelProblem(code="invalid-relation-type", message=f"the type '{one.type}' has no relation '{one.relation}'", at=one.at)
    if one.relation is not None and one.wildcard:
        yield ModelProblem(code="invalid-restriction", message=f"'{one.type}' is given both a relation and a wildcard", at=one.at)
    if one.condition is not None and one.condition != INLINE and one.condition not in model.conditions:
        yield ModelProblem(code="condition-not-defined", message=f"there is no condition '{one.condition}'", at=one.condition_at)


def _leaves(model: AuthorizationModel, definition: TypeDefinition, relation: Relation) -> Iterator[ModelProblem]:
    first: dict[Computed | TupleToUserset, Position | None] = {}
    for leaf in leaves(relation.rewrite):
        if isinstance(leaf, Direct):
            continue
        if leaf in first:
            yield ModelProblem(code="repetition", message=f"the same part stands twice in '{relation.name}'", at=first[leaf])
            continue
        first[leaf] = leaf.at
        if isinstance(leaf, TupleToUserset):
            yield from _from(model, definition, leaf)
        elif leaf.relation not in definition.relations:
            message = f"the type '{definition.name}' has no relation '{leaf.relation}'"
            yield ModelProblem(code="missing-definition", message=message, at=leaf.at)


def _from(model: AuthorizationModel, definition: TypeDefinition, leaf: TupleToUserset) -> Iterator[ModelProblem]:
    parents = definition.relations.get(leaf.tupleset)
    if parents is None:
        message = f"the type '{definition.name}' has no relation '{leaf.tupleset}'"
        yield ModelProblem(code="invalid-relation-type", message=message, at=leaf.at)
        return
    if not isinstance(parents.rewrite, Direct) or any(one.relation or one.wildcard for one in parents.restrictions):
        message = f"after 'from' stands a relation with plain objects only, '{leaf.tupleset}' has more"
        yield ModelProblem(code="tupleset-not-direct", message=message, at=leaf.tupleset_at)
        return
    types = [one.type for one in parents.restrictions]
    if not any(model.relation(name, leaf.computed) for name in types):
        for name in types:
            message = f"the type '{name}', which '{leaf.tupleset}' points to, has no relation '{leaf.computed}'"
            yield ModelProblem(code="invalid-relation-on-tupleset", message=message, at=leaf.at)


def _conditions(model: AuthorizationModel) -> Iterator[ModelProblem]:
    used = {one.condition for name in model.types.values() for relation in name.relations.values() for one in relation.restrictions}
    for condition in model.conditions.values():
        if condition.name not in used:
            yield ModelProblem(code="condition-not-used", message=f"no relation uses the condition '{condition.name}'", at=condition.at)


def _loops(model: AuthorizationModel) -> Iterator[ModelProblem]:
    possible = _Possible(model)
    for definition in model.types.values():
        circular: dict[str, bool] = {}
        for relation in definition.relations.values():
            name = f"'{definition.name}#{relation.name}'"
            if _circular(definition, relation.name, circular):
                yield ModelProblem(code="loop", message=f"{name} is defined by itself", at=relation.at)
            elif not possible.for_anybody(definition.name, relation.name):
                yield ModelProblem(code="no-entry-point", message=f"nobody can ever be {name}: no way leads to it", at=relation.at)


def _circular(definition: TypeDefinition, relation: str, known: dict[str, bool]) -> bool:
    """Does following same-object relations from this one come round? What is under way counts as yes."""
    if relation not in known:
        known[relation] = True
        steps = [leaf.relation for leaf in leaves(definition.relations[relation].rewrite) if isinstance(leaf, Computed)]
        known[relation] = any(_circular(definition, step, known) for step in steps)
    return known[relation]


@dataclass(slots=True)
class _Possible:
    """Which relations anybody can have: the least set closed under the rewrites."""

    model: AuthorizationModel
    known: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        size = -1
        while size != len(self.known):
            size = len(self.known)
            for definition in self.model.types.values():
                for relation in definition.relations.values():
                    if self._reached(definition, relation, relation.rewrite):
                        self.known.add((definition.name, relation.name))

    def for_anybody(self, type_name: str, relation: str) -> bool:
        return (type_name, relation) in self.known

    def _reached(self, definition: TypeDefinition, relation: Relation, rewrite: Rewrite) -> bool:
        match rewrite:
            case Direct():
                return any(one.relation is None or (one.type, one.relation) in self.known for one in relation.restrictions)
            case Computed(relation=name):
                return (definition.name, name) in self.known
            case TupleToUserset(computed=computed, tupleset=tupleset):
                return any((one.type, computed) in self.known for one in definition.relations[tupleset].restrictions)
            case Union(children=children):
                return any(self._reached(definition, relation, child) for child in children)
            case Intersection(children=children):
                return all(self._reached(definition, relation, child) for child in children)
            case Difference(base=base, subtract=subtract):
                return self._reached(definition, relation, base) and self._reached(definition, relation, subtract)
