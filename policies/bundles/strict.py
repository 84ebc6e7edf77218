"""A YAML document held against a pydantic model, its errors in the words of whoever wrote the document."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.bundles.text import Document, Place
from policies.errors import Problem
from policies.schema import resolved


class Strict(BaseModel):
    """No conversions, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


_Model = TypeVar("_Model", bound=Strict)

_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "too_short": "at least one entry",
    "missing": "a value",
}


def fitted(model: type[_Model], document: Document, path: str) -> _Model | list[Problem]:
    """The model's value, or everything that does not fit, with its line."""
    try:
        return model.model_validate(document.value)
    except ValidationError as problem:
        return [_problem(error, model, document, path) for error in problem.errors()]


def _problem(error: Any, model: type[Strict], document: Document, path: str) -> Problem:
    place: Place = tuple(step for step in error["loc"])
    where, line = _written(place), document.line(place)
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, place[:-1])
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
        return Problem(path=path, line=line, message=f"{where}: unknown key", advice=advice)
    found = "nothing" if error["type"] == "missing" else _found(error["input"])
    return Problem(path=path, line=line, message=f"{where}: expected {_expected(error, place)}, found {found}")


def _expected(error: Any, place: Place) -> str:
    if error["type"] == "string_pattern_mismatch":
        return "a Rego package, like merge.approvals" if place[-1] == "package" else "letters, digits, dots, dashes and underscores"
    if error["type"] in ("enum", "literal_error"):
        return f"one of {error['ctx']['expected']}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return _EXPECTED.get(error["type"]) or str(error["msg"])


def _keys_at(model: type[BaseModel], place: Place) -> list[str]:
    shape: Any = resolved(model.model_json_schema())
    for step in place:
        shape = shape.get("items", {}) if isinstance(step, int) else shape.get("properties", {}).get(step, {})
        shape = next((option for option in shape.get("anyOf", ()) if "properties" in option or "items" in option), shape)
    return list(shape.get("properties", {}))


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
