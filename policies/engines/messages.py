"""OPA's error texts, taken apart: one `Problem` per error, with file and line.

Separate, because both adapters get the same texts from the same OPA.
https://www.openpolicyagent.org/docs/policy-reference#errors
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from policies.errors import Problem

_PLACED = re.compile(r"^(?:\d+ errors? occurred: ?)?(?P<path>[^\s:][^:\n]*\.rego):(?P<line>\d+): (?P<what>\w+): (?P<text>.*)$")
_PREFIXES = ("bundle activation failed: ", "1 error occurred: ")
_ADVICE = {
    "rego_unsafe_var_error": "bind the variable, with `some`, `:=` or `every`, or import what it names",
    "rego_recursion_error": "break the circle: a rule may not depend on itself",
}


def problems_in(text: str) -> tuple[Problem, ...]:
    """Every error of a text such as `2 errors occurred:\\na.rego:2: rego_parse_error: …`, without the quoted source lines."""
    body = text
    for prefix in _PREFIXES:
        body = body.removeprefix(prefix)
    found = [_problem(match) for match in map(_PLACED.match, body.splitlines()) if match is not None]
    return _distinct(found) or (Problem(message=body.strip() or "OPA gave no reason"),)


def located(error: Mapping[str, Any]) -> str:
    """One error of OPA's JSON as the library writes it: `a.rego:6: eval_builtin_error: …`."""
    place = error.get("location") or {}
    where = f"{place['file']}:{place['row']}: " if place.get("file") else ""
    return f"{where}{error.get('code', 'error')}: {error.get('message', '')}"


def _problem(match: re.Match[str]) -> Problem:
    return Problem(
        path=match["path"],
        line=int(match["line"]) or None,
        message=f"{match['text']} ({match['what']})",
        advice=_advice(match["what"], match["text"]),
    )


def _advice(what: str, text: str) -> str | None:
    if "keyword is required" in text:
        return "policies are written in Rego v1; `opa fmt --v0-v1` rewrites older ones"
    return _ADVICE.get(what)


def _distinct(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
