"""What a term of a policy can be, as far as its way to the input goes: the abstract values the follower computes with.

A `Value` is a set of alternatives. The empty one means "not known yet". Paths hold names, and `ITEM` for "any item
of this list" or "any key of this map".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TypeAlias

from policies.model import Json
from policies.schema import Shape, inside, types_of
from policies.values import value

ITEM = "[]"
Path: TypeAlias = "tuple[str, ...]"


@value
class At:
    """The input's value at a path."""

    path: Path


@value
class Fields:
    """An object written down in the policy."""

    items: frozenset[tuple[str, Value]]


@value
class Of:
    """A list, set or map whose items (and keys) may be these."""

    items: Value
    keys: Value = frozenset()


class Plain(Enum):
    """Values without a way back to a path."""

    OTHER = "nothing of the input"
    DERIVED = "made from the input by a function that is not followed"


Alternative: TypeAlias = "At | Fields | Of | Plain"
Value: TypeAlias = "frozenset[Alternative]"

Env: TypeAlias = "dict[str, Value]"
"""What the variables of a body can be."""

UNKNOWN: Value = frozenset()
OTHER: Value = frozenset({Plain.OTHER})
DERIVED: Value = frozenset({Plain.DERIVED})
INPUT: Value = frozenset({At(path=())})


@value
class Missing:
    """A step that leads nowhere: at `path` stands `shape`, and nothing of that name (None: nothing at all) is inside it."""

    path: Path
    step: str | int | None
    shape: Shape


@value
class Never:
    """A constant that the value at `path` never is."""

    path: Path
    literal: str | int | float | bool
    shape: Shape


@value
class NoData:
    """A step below `data` where the bundle has nothing; `names` is what it has there."""

    path: Path
    step: str
    names: tuple[str, ...]


class Shapes:
    """The input's schema by path, with the parameters of one policy in their place."""

    def __init__(self, top: Shape, parameters: Shape) -> None:
        self._known: dict[Path, Shape] = {(): {**top, "properties": {**top.get("properties", {}), "parameters": parameters}}}

    def at(self, path: Path) -> Shape:
        """The shape at a path; `{}` where anything may stand."""
        if path not in self._known:
            shape, step = self.at(path[:-1]), path[-1]
            self._known[path] = _item(shape) if step == ITEM else inside(shape, step) or {}
        return self._known[path]

    def step(self, at: At, step: str | int | None) -> Value | Missing:
        """One step further; None is a step only known at evaluation."""
        shape = self.at(at.path)
        if step is not None:
            further = inside(shape, step)
            if further is None:
                return Missing(path=at.path, step=step, shape=shape)
            return frozenset({At(path=(*at.path, step if isinstance(step, str) else ITEM))})
        if not types_of(shape) or "array" in types_of(shape):
            return frozenset({At(path=(*at.path, ITEM))})
        if "object" in types_of(shape):
            return frozenset(At(path=(*at.path, name)) for name in self._names(shape))
        return Missing(path=at.path, step=None, shape=shape)

    @staticmethod
    def _names(shape: Shape) -> Iterator[str]:
        yield from shape.get("properties", {})
        if shape.get("additionalProperties", True) is not False:
            yield ITEM


def _item(shape: Shape) -> Shape:
    if "array" in types_of(shape):
        items: Shape = shape.get("items", {})
        return items
    rest = shape.get("additionalProperties", True)
    return rest if isinstance(rest, Mapping) else {}


def shape_of(value: Json) -> Shape:
    """The shape of a parameter, from the value bundle.yaml gives it. null and empty lists and objects may be anything."""
    match value:
        case bool():
            return {"type": "boolean"}
        case str():
            return {"type": "string"}
        case int() | float():
            return {"type": "number"}
        case list() if value:
            return {"type": "array", "items": _common([shape_of(item) for item in value])}
        case list():
            return {"type": "array"}
        case dict() if value:
            return {"type": "object", "properties": {key: shape_of(item) for key, item in value.items()}, "additionalProperties": False}
        case dict():
            return {"type": "object"}
    return {}


def _common(shapes: list[Shape]) -> Shape:
    """One shape for all items of a list: objects together have all their keys; mixed kinds may be anything."""
    kinds = {types_of(shape) for shape in shapes}
    if len(kinds) > 1 or kinds == {()}:
        return {}
    if kinds != {("object",)} or not all("properties" in shape for shape in shapes):
        return shapes[0] if all(shape == shapes[0] for shape in shapes) else {"type": next(iter(kinds))[0]}
    names = dict.fromkeys(name for shape in shapes for name in shape["properties"])
    together = {name: _common([shape["properties"][name] for shape in shapes if name in shape["properties"]]) for name in names}
    return {"type": "object", "properties": together, "additionalProperties": False}


def paths_in(value: Value) -> Iterator[Path]:
    """Every path a value holds, however deep."""
    for alternative in value:
        match alternative:
            case At(path=path):
                yield path
            case Fields(items=items):
                for _, item in items:
                    yield from paths_in(item)
            case Of(items=items, keys=keys):
                yield from paths_in(items)
                yield from paths_in(keys)


def joined(values: Iterable[Value]) -> Value:
    """Any of these."""
    return frozenset().union(*values)


def keys_of(value: Value) -> Value:
    """What the keys of a value are, as far as the policy made them itself."""
    return joined(alternative.keys for alternative in value if isinstance(alternative, Of))


def items_of(value: Value, shapes: Shapes) -> Value:
    """What iterating over a value gives."""
    return joined(_items(alternative, shapes) for alternative in value)


def _items(alternative: Alternative, shapes: Shapes) -> Value:
    match alternative:
        case At():
            further = shapes.step(alternative, None)
            return OTHER if isinstance(further, Missing) else further
        case Fields(items=items):
            return joined(item for _, item in items)
        case Of(items=items):
            return items
    return frozenset({alternative})
