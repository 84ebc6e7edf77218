"""The `condition` blocks of the modelling language: typed parameters and a CEL expression, which is not looked into here."""

from __future__ import annotations

import re

from policies.relations.model import Condition, ParameterKind, ParameterType
from policies.relations.refusals import ModelProblem
from policies.relations.scanner import Scanner

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_KINDS = frozenset(str(kind) for kind in ParameterKind)


def read_condition(scan: Scanner) -> tuple[Condition, list[ModelProblem]]:
    """The condition under the cursor, and parameters it declares twice. Raises ModelRefused."""
    scan.need_word("condition")
    scan.need_blank()
    at = scan.here
    name = scan.need_name("a condition's name")
    scan.blanks()
    scan.need("(")
    parameters, repeated = _parameters(scan, name)
    scan.blanks()
    scan.need("{")
    expression = scan.until_closing_brace().strip()
    return Condition(name=name, parameters=parameters, expression=expression, at=at), repeated


def _parameters(scan: Scanner, condition: str) -> tuple[dict[str, ParameterType], list[ModelProblem]]:
    parameters: dict[str, ParameterType] = {}
    repeated: list[ModelProblem] = []
    while True:
        scan.space()
        at = scan.here
        if scan.word() in _KINDS:
            scan.refuse("a parameter's name")
        name = (scan.take_match(_PARAMETER) or scan.refuse("a parameter's name"))[0]
        if name in parameters:
            message = f"the parameter '{name}' of condition '{condition}' is declared twice"
            repeated.append(ModelProblem(code="duplicate", message=message, at=at))
        scan.blanks()
        scan.need(":")
        scan.blanks()
        parameters[name] = _type(scan)
        scan.space()
        if scan.take(")"):
            return parameters, repeated
        if not scan.take(","):
            scan.refuse("',' or ')'")


def _type(scan: Scanner) -> ParameterType:
    kind = _kind(scan)
    if not kind.takes_items:
        return ParameterType(kind=kind)
    scan.need("<")
    at = scan.here
    items = _kind(scan)
    if items.takes_items:
        scan.refuse("a type of items that is not itself a list or map", at=at)
    scan.need(">")
    return ParameterType(kind=kind, items=ParameterType(kind=items))


def _kind(scan: Scanner) -> ParameterKind:
    word = scan.word()
    if word is None or word not in _KINDS:
        scan.refuse(f"one of {', '.join(sorted(_KINDS))}")
    scan.take_word(word)
    return ParameterKind(word)
