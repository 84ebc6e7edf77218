"""How an author's YAML has to look, as a shape, and what to say, on which line, where it does not.

A shape is JSON Schema as `policies.schema.fit_into` understands it; `expected` in it are the words for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.bundles.text import Document, Place
from policies.errors import Problem
from policies.nearest import nearest
from policies.schema import Misfit, Shape, fit_into, types_of

_WORDS = {"string": "a text", "array": "a list", "object": "keys and values"}


def keys(required: Mapping[str, Shape], **optional: Shape) -> dict[str, Any]:
    """The shape of keys and values that knows these keys and no other."""
    known = {**required, **optional}
    return {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}


def or_nothing(shape: Shape) -> dict[str, Any]:
    """The same, or null."""
    return {**shape, "type": [*types_of(shape), "null"]}


def fitted(shape: Shape, document: Document, path: str) -> Any:
    """The document's value, with null for what may be missing and is; or the list of everything that does not fit, with its line.

    A list stands for problems only: no author's file is a list at the top.
    """
    misfits: list[Misfit] = []
    value = fit_into(shape)(document.value, (), misfits)
    return [_problem(misfit, document, path) for misfit in misfits] if misfits else value


def _problem(misfit: Misfit, document: Document, path: str) -> Problem:
    where, line = _written(misfit.place), document.line(misfit.place)
    if misfit.kind == "unknown":
        known = list(misfit.shape["properties"])
        near = nearest(misfit.place[-1], known)
        advice = f"did you mean {near!r}?" if near else f"expected one of {', '.join(known)}"
        return Problem(path=path, line=line, message=f"{where}: unknown key", advice=advice)
    if misfit.kind == "missing":
        return Problem(path=path, line=line, message=f"{where}: expected a value, found nothing")
    return Problem(path=path, line=line, message=f"{where}: expected {_expected(misfit)}, found {_found(misfit.value)}")


def _expected(misfit: Misfit) -> str:
    shape, value = misfit.shape, misfit.value
    kind = types_of(shape)[0] if types_of(shape) else None
    if "enum" in shape:
        *others, last = map(repr, shape["enum"])
        return f"one of {', '.join(others)} or {last}"
    if kind == "array" and isinstance(value, list):
        return "at least one entry"
    if kind == "string" and not isinstance(value, str):
        return _WORDS["string"]
    return str(shape.get("expected") or _WORDS.get(str(kind)) or "a value")


def _written(place: Place) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".") or "the whole file"


def _found(value: object) -> str:
    match value:
        case str():
            return repr(value)
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "keys and values"
    return "nothing" if value is None else str(value)
