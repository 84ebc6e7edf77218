"""Fitting a value into a shape: everything that does not fit, and the value with what may be missing filled in.

The models say the same of the input (a test compares the two over thousands of documents), but pydantic takes longer to
load than a whole `admit check` may take, and manifests and cases are fitted into shapes of their own here too.

Understood of JSON Schema: type, enum, const, properties, required, additionalProperties, items, minItems, minLength,
maxLength, pattern and format date-time. A property that is not required and is missing becomes its `default`, or null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from policies.model import Json
from policies.schema.moment import is_moment
from policies.values import value

Place: TypeAlias = "tuple[int | str, ...]"


@value
class Misfit:
    """One thing that does not fit. wrong: there, but not what the shape says; `shape` is of the place itself."""

    kind: Literal["missing", "unknown", "wrong"]
    place: Place
    shape: Mapping[str, Any]
    value: object = None


Fit: TypeAlias = Callable[[Any, Place, list[Misfit]], Any]
"""Answers the value with what was missing filled in, and adds to the list what does not fit."""

_SAY_NOTHING = frozenset({"type", "title", "description", "default", "expected"})
"""Keywords that take nothing away from a type."""

_SCALARS: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool, "number": float}


def fit_into(shape: Mapping[str, Any]) -> Fit:
    """Prepared once for a shape without `$ref`, since documents come by the thousand."""
    kind = shape.get("type")
    nullable = isinstance(kind, list) and "null" in kind
    if isinstance(kind, list):
        (kind,) = [each for each in kind if each != "null"]
    fit = _fit_of(kind, shape)
    return _or_null(fit) if nullable else fit


def _fit_of(kind: str | None, shape: Mapping[str, Any]) -> Fit:
    match kind:
        case "object":
            return _object(shape) if "properties" in shape else _mapping(shape)
        case "array":
            return _list(shape)
        case None if "const" not in shape and "enum" not in shape:
            return _json(shape)
        case _:
            return _scalar(_SCALARS[kind] if kind else None, shape)


def _or_null(fit: Fit) -> Fit:
    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Any:
        return None if value is None else fit(value, place, wrong)

    return fitted


def _object(shape: Mapping[str, Any]) -> Fit:
    required = frozenset(shape.get("required", ()))
    members = [
        (name, _plain_type(inner), fit_into(inner), name in required, inner.get("default"), inner)
        for name, inner in shape["properties"].items()
    ]
    known = frozenset(shape["properties"])

    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Any:
        if type(value) is not dict:
            wrong.append(Misfit(kind="wrong", place=place, shape=shape, value=value))
            return None
        whole = {}
        for name, plain, fit, needed, default, inner in members:
            if name in value:
                item = value[name]
                whole[name] = item if type(item) is plain else fit(item, (*place, name), wrong)
            elif needed:
                wrong.append(Misfit(kind="missing", place=(*place, name), shape=inner))
            else:
                whole[name] = default
        if not value.keys() <= known:
            wrong += [Misfit(kind="unknown", place=(*place, name), shape=shape, value=value[name]) for name in value if name not in known]
        return whole

    return fitted


def _plain_type(shape: Mapping[str, Any]) -> type | None:
    """The type of which everything fits, if there is one: most of a document is of such, and needs no place to be told of."""
    kinds = shape.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return None if shape.keys() - _SAY_NOTHING else next((_SCALARS[kind] for kind in kinds if kind in _SCALARS), None)


def _mapping(shape: Mapping[str, Any]) -> Fit:
    rest = shape.get("additionalProperties", {})
    inner = fit_into({} if rest is True else rest)

    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Any:
        if type(value) is not dict:
            wrong.append(Misfit(kind="wrong", place=place, shape=shape, value=value))
            return None
        for key in value:
            if type(key) is not str:
                wrong.append(Misfit(kind="wrong", place=(*place, str(key)), shape=shape, value=value))
        return {key: inner(item, (*place, key), wrong) for key, item in value.items()}

    return fitted


def _list(shape: Mapping[str, Any]) -> Fit:
    inner, least = fit_into(shape.get("items", {})), shape.get("minItems", 0)

    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Any:
        if type(value) is not list or len(value) < least:
            wrong.append(Misfit(kind="wrong", place=place, shape=shape, value=value))
            return None
        return [inner(item, (*place, number), wrong) for number, item in enumerate(value)]

    return fitted


def _json(shape: Mapping[str, Any]) -> Fit:
    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Any:
        if not _is_json(value):
            wrong.append(Misfit(kind="wrong", place=place, shape=shape, value=value))
        return value

    return fitted


def _is_json(value: object) -> bool:
    """What YAML reads may be more: dates, sets, keys that are numbers."""
    match value:
        case None | str() | bool() | int() | float():
            return True
        case list():
            return all(map(_is_json, value))
        case dict():
            return all(type(key) is str and _is_json(item) for key, item in value.items())
    return False


def _scalar(kind: type | None, shape: Mapping[str, Any]) -> Fit:
    allowed = frozenset([shape["const"]] if "const" in shape else shape["enum"]) if {"const", "enum"} & shape.keys() else None
    pattern = re.compile(shape["pattern"]) if "pattern" in shape else None
    moment = shape.get("format") == "date-time"
    least, most = shape.get("minLength", 0), shape.get("maxLength")
    further = allowed is not None or pattern is not None or moment or least or most is not None

    def fits(value: Any) -> bool:
        if allowed is not None and value not in allowed:
            return False
        if pattern is not None and pattern.search(value) is None:
            return False
        if moment and not is_moment(value):
            return False
        return not isinstance(value, str) or (least <= len(value) and (most is None or len(value) <= most))

    def fitted(value: Any, place: Place, wrong: list[Misfit]) -> Json:
        if (kind is not None and type(value) is not kind) or (further and not fits(value)):
            wrong.append(Misfit(kind="wrong", place=place, shape=shape, value=value))
        return value  # type: ignore[no-any-return]

    return fitted
