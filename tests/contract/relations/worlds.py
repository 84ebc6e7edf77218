"""Random models, tuples and questions, all from one seed, small enough that anything interesting happens often."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from policies.relations.model import (
    AuthorizationModel,
    Computed,
    Condition,
    Difference,
    Direct,
    Intersection,
    ParameterKind,
    ParameterType,
    Relation,
    Restriction,
    Rewrite,
    TupleToUserset,
    TypeDefinition,
    Union,
)

PEOPLE = ("user", "robot")
THINGS = ("team", "folder", "document")
IDS = ("1", "2", "3")
RELATIONS = ("a", "b", "c", "d", "parent", "owner")
CONDITIONS = {
    "small": Condition(name="small", parameters={"x": ParameterType(kind=ParameterKind.INT)}, expression="x < 10"),
    "named": Condition(
        name="named",
        parameters={"who": ParameterType(kind=ParameterKind.STRING), "x": ParameterType(kind=ParameterKind.INT)},
        expression='who == "ana" || x == 3',
    ),
}
CONTEXTS: tuple[dict[str, Any], ...] = ({}, {"x": 3}, {"x": 30}, {"x": 30, "who": "ana"}, {"who": "bob"}, {"x": "7"}, {"x": 1.5})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of both: a check, or a list of objects or users."""

    kind: str
    user: str
    relation: str
    object: str
    context: dict[str, Any] = field(default_factory=dict)
    contextual: tuple[dict[str, Any], ...] = ()


def random_model(chance: random.Random) -> AuthorizationModel:
    """A model that need not be sound."""
    names = {thing: chance.sample(RELATIONS, chance.randint(2, 5)) for thing in THINGS}
    types = {person: TypeDefinition(name=person) for person in PEOPLE}
    for thing in THINGS:
        relations = {name: _relation(chance, name, thing, names) for name in names[thing]}
        types[thing] = TypeDefinition(name=thing, relations=relations)
    used = {one.condition for kind in types.values() for relation in kind.relations.values() for one in relation.restrictions}
    conditions = {name: condition for name, condition in CONDITIONS.items() if name in used}
    return AuthorizationModel(schema_version="1.1", types=types, conditions=conditions)


def _relation(chance: random.Random, name: str, thing: str, names: dict[str, list[str]]) -> Relation:
    if name == "parent":
        kinds = chance.sample(THINGS, chance.randint(1, 2))
        return Relation(name=name, rewrite=Direct(), restrictions=tuple(_plain(chance, kind) for kind in kinds))
    rewrite = _rewrite(chance, name, thing, names, depth=0, direct=True)
    return Relation(name=name, rewrite=rewrite, restrictions=_restrictions(chance, names) if _is_direct(rewrite) else ())


def _plain(chance: random.Random, kind: str) -> Restriction:
    return Restriction(type=kind, condition="small" if chance.random() < 0.15 else None)


def _is_direct(rewrite: Rewrite) -> bool:
    match rewrite:
        case Direct():
            return True
        case Union(children=children) | Intersection(children=children):
            return any(_is_direct(child) for child in children)
        case Difference(base=base, subtract=subtract):
            return _is_direct(base) or _is_direct(subtract)
        case _:
            return False


def _rewrite(chance: random.Random, name: str, thing: str, names: dict[str, list[str]], *, depth: int, direct: bool) -> Rewrite:
    kind = chance.random()
    if depth == 2 or kind < 0.45:
        return _leaf(chance, name, thing, names, direct=direct)
    operands = [_rewrite(chance, name, thing, names, depth=depth + 1, direct=direct and n == 0) for n in range(chance.randint(2, 3))]
    if kind < 0.72:
        return Union(children=tuple(operands))
    if kind < 0.84:
        return Intersection(children=tuple(operands))
    return Difference(base=operands[0], subtract=operands[1])


def _leaf(chance: random.Random, name: str, thing: str, names: dict[str, list[str]], *, direct: bool) -> Rewrite:
    kind = chance.random()
    if direct and kind < 0.7:
        return Direct()
    others = [other for other in names[thing] if other not in (name, "parent")]
    if "parent" in names[thing] and (kind > 0.55 or not others):
        return TupleToUserset(computed=chance.choice(RELATIONS[:4]), tupleset="parent")
    return Computed(relation=chance.choice(others)) if others else Direct()


def _restrictions(chance: random.Random, names: dict[str, list[str]]) -> tuple[Restriction, ...]:
    found: dict[tuple[str, str | None, bool, str | None], Restriction] = {}
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        person = chance.choice(PEOPLE[: 1 + (chance.random() < 0.2)])
        if kind < 0.45:
            one = Restriction(type=person, condition=_maybe_condition(chance))
        elif kind < 0.6:
            one = Restriction(type=person, wildcard=True, condition=_maybe_condition(chance))
        else:
            thing = chance.choice(THINGS)
            one = Restriction(type=thing, relation=chance.choice(names[thing]), condition=_maybe_condition(chance))
        found[one.type, one.relation, one.wildcard, one.condition] = one
    return tuple(found.values())


def _maybe_condition(chance: random.Random) -> str | None:
    return chance.choice(tuple(CONDITIONS)) if chance.random() < 0.2 else None


def random_tuples(chance: random.Random, model: AuthorizationModel, count: int) -> list[dict[str, Any]]:
    """Tuples the model allows, no two of one key."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    places = list(_places(model))
    for _ in range(count if places else 0):
        thing, relation, restriction = chance.choice(places)
        id = chance.choice(IDS)
        user = f"{restriction.type}:{'*' if restriction.wildcard else chance.choice(IDS)}"
        user += f"#{restriction.relation}" if restriction.relation else ""
        one: dict[str, Any] = {"user": user, "relation": relation, "object": f"{thing}:{id}"}
        if restriction.condition:
            one["condition"] = {"name": restriction.condition, "context": _tuple_context(chance, restriction.condition)}
        if user != f"{one['object']}#{relation}":  # which says nothing, and is refused
            found[one["object"], relation, user] = one
    return list(found.values())


def _tuple_context(chance: random.Random, condition: str) -> dict[str, Any]:
    if condition == "small":
        return chance.choice(({}, {"x": 5}, {"x": 50}))
    return chance.choice(({}, {"who": "ana"}, {"x": 4}, {"who": "bob", "x": 3}))


def _places(model: AuthorizationModel) -> Iterator[tuple[str, str, Restriction]]:
    for definition in model.types.values():
        for relation in definition.relations.values():
            for restriction in relation.restrictions:
                yield definition.name, relation.name, restriction


def random_question(chance: random.Random, model: AuthorizationModel) -> Asked:
    """A question the model can be asked."""
    thing = chance.choice([name for name in THINGS if model.types[name].relations])
    relation = chance.choice(list(model.types[thing].relations))
    kind = chance.choices(("check", "objects", "users"), (8, 1, 1))[0]
    user = _random_user(chance, model, kind)
    object = thing if kind == "objects" else f"{thing}:{chance.choice(IDS)}"
    contextual = tuple(random_tuples(chance, model, 2)) if chance.random() < 0.15 else ()
    return Asked(kind, user, relation, object, chance.choice(CONTEXTS), contextual)


def _random_user(chance: random.Random, model: AuthorizationModel, kind: str) -> str:
    """A user; for a list of users, the kind of them."""
    if chance.random() < 0.75:
        person = chance.choice(PEOPLE[: 1 + (chance.random() < 0.2)])
        return person if kind == "users" else f"{person}:{chance.choice((*IDS, *IDS, '*'))}"
    thing = chance.choice([name for name in THINGS if model.types[name].relations])
    relation = chance.choice(list(model.types[thing].relations))
    return f"{thing}#{relation}" if kind == "users" else f"{thing}:{chance.choice(IDS)}#{relation}"
