"""Walking the schema: what may stand at a path of the input, and how to say so to a person.

Separate from the schema itself because two readers walk it: documents handed in, and what policies read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from policies.schema.committed import input_schema

Shape: TypeAlias = Mapping[str, Any]
"""A JSON Schema node without `$ref`; one without a type is anything."""


@cache
def top_shape() -> Shape:
    """The shape of `input`, every `$ref` resolved."""
    return resolved(input_schema())


def resolved(schema: dict[str, Any]) -> Shape:
    """A JSON Schema with every `$ref` into its own `$defs` written out."""
    shape: Shape = _resolved({key: value for key, value in schema.items() if key != "$defs"}, schema.get("$defs", {}))
    return shape


def _resolved(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _resolved(value, definitions) for key, value in node.items()}


def shape_at(place: Sequence[int | str]) -> Shape:
    """The shape at a path of the input; `{}` where anything may stand, or beyond what is known."""
    shape = top_shape()
    for step in place:
        shape = inside(shape, step) or {}
    return shape


def inside(shape: Shape, step: int | str) -> Shape | None:
    """The shape one step further; None if nothing can be there."""
    types = types_of(shape)
    if not types:
        return {}
    if isinstance(step, int) and "array" in types:
        items: Shape = shape.get("items", {})
        return items
    if isinstance(step, str) and "object" in types:
        properties = shape.get("properties", {})
        if step in properties:
            known: Shape = properties[step]
            return known
        rest = shape.get("additionalProperties", True)
        return {} if rest is True else None if rest is False else rest
    return None


def types_of(shape: Shape) -> tuple[str, ...]:
    """The JSON types a shape allows, `null` last."""
    types = shape.get("type", ())
    return (types,) if isinstance(types, str) else tuple(types)


_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def described(shape: Shape) -> str:
    """In words for a person: `a whole number or null`, `one of 'open', 'closed', 'merged'`."""
    if "const" in shape:
        return repr(shape["const"])
    if "enum" in shape:
        values = ", ".join(repr(value) for value in shape["enum"] if value is not None)
        return f"one of {values}" + (" or null" if None in shape["enum"] else "")
    if shape.get("format") == "date-time":
        return "a time with a zone, like 2026-05-04T10:00:00Z" + (" or null" if "null" in types_of(shape) else "")
    return " or ".join(_WORDS[name] for name in types_of(shape)) or "a JSON value"
