"""Conditions: CEL by `common-expression-language`, parameters typed by their declaration.

A condition has an answer or raises: a parameter without a value is an error even where `||` could do
without it, as on the server, because a false that means "unknown" becomes a true under `but not`.
The library does not check types when compiling; what its operators do not take raises when evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from policies.model import Json
from policies.relations.model import Condition, ParameterKind, ParameterType
from policies.relations.parameters import address, in_cidr, typed
from policies.relations.refusals import ConditionFailed, ModelProblem, ModelRefused

if TYPE_CHECKING:
    import cel

# CEL's macros bind a name of their own: list.exists(x, x > 1)
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_LOOPS = re.compile(r"""\.\s*(?:all|exists|exists_one|map|filter)\s*\(|[()]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
MOST_ROUNDS = 10_000
_TYPE_NAMES = frozenset({"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"})
_FUNCTIONS: dict[str, Callable[..., object]] = {"ipaddress": address, "in_cidr": in_cidr}


def _compiled(expression: str) -> cel.Program:
    """Raises ValueError, TypeError or RuntimeError for what is not CEL."""
    import cel  # here: the package loads a terminal toolkit, 0.15 s that only models with conditions should cost

    return cel.compile(expression)


def _evaluated(program: cel.Program, values: dict[str, object]) -> object:
    import cel  # see above

    return program.execute(cel.Context(values, _FUNCTIONS))


class CompiledCondition:
    """One condition, ready to be evaluated. Raises ModelRefused when its expression is not CEL over its parameters."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        try:
            self._program = _compiled(condition.expression)
        except (ValueError, TypeError, RuntimeError) as problem:
            raise self._refused(f"is not CEL: {problem}") from problem
        self._nested = _nesting(condition.expression)
        unknown = sorted(identifiers(condition.expression) - condition.parameters.keys())
        if unknown:
            raise self._refused(f"uses '{unknown[0]}', which is not one of its parameters")

    def _refused(self, text: str) -> ModelRefused:
        message = f"the condition '{self._condition.name}' {text}"
        return ModelRefused([ModelProblem(code="condition", message=message, at=self._condition.at)])

    def holds(self, context: Mapping[str, Json]) -> bool:
        """Is it true with these values? Keys that are not parameters are ignored. Raises ConditionFailed."""
        condition = self._condition
        missing = sorted(condition.parameters.keys() - context.keys())
        if missing:
            raise ConditionFailed(f"the condition '{condition.name}' needs a value for {', '.join(missing)}")
        self._refuse_costly([context[name] for name in condition.parameters])
        try:
            values = {name: typed(context[name], kind) for name, kind in condition.parameters.items()}
            answer = _evaluated(self._program, values)
        # all that the library documents, and what our own functions raise within it
        except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as problem:
            raise ConditionFailed(f"the condition '{condition.name}' could not be evaluated: {problem}") from problem
        if not isinstance(answer, bool):
            raise ConditionFailed(f"the condition '{condition.name}' is {type(answer).__name__}, not true or false")
        return answer

    def _refuse_costly(self, values: Sequence[Json]) -> None:
        """The library counts no cost, so loops within loops over long lists are not begun."""
        if self._nested and _longest(values) ** self._nested > MOST_ROUNDS:
            raise ConditionFailed(f"the condition '{self._condition.name}' would go round more than {MOST_ROUNDS} times")

    def allows_context(self, context: Mapping[str, Json]) -> bool:
        """May a tuple bring these values along: parameters only, each of its type?"""
        parameters = self._condition.parameters
        try:
            return all(key in parameters and (typed(value, parameters[key]), True)[1] for key, value in context.items())
        except ValueError:
            return False


def _nesting(expression: str) -> int:
    """How deep CEL's loops stand within each other."""
    depth, open_loops, deepest = 0, list[int](), 0
    for found in _LOOPS.finditer(expression):
        if found[0] == ")":
            depth -= 1
            open_loops = [at for at in open_loops if at <= depth]
        elif found[0].endswith("("):
            depth += 1
            if found[0] != "(":
                open_loops.append(depth)
                deepest = max(deepest, len(open_loops))
    return deepest


def _longest(values: Iterable[Json]) -> int:
    """The length of the longest list or object within, at least 1."""
    longest = 1
    for value in values:
        if isinstance(value, Mapping):
            longest = max(longest, len(value), _longest(value.values()))
        elif isinstance(value, (list, tuple)):
            longest = max(longest, len(value), _longest(value))
    return longest


INLINE = "$expression"
"""The reserved name of a condition that a tuple brings along: its context is `{expression, parameters: {name: type}}`."""

_WRITTEN_TYPE = re.compile(r"([a-z]+)(?:<([a-z]+)>)?")


def inline_condition(context: Mapping[str, Json]) -> CompiledCondition:
    """The condition an `$expression` tuple carries; names without a type are strings. Raises ModelRefused."""
    return _inline(json.dumps(context, sort_keys=True))


@lru_cache(maxsize=4096)
def _inline(text: str) -> CompiledCondition:
    context = json.loads(text)
    expression, types = context.get("expression"), context.get("parameters", {})
    if not isinstance(expression, str) or not expression or not isinstance(types, dict):
        message = f"{INLINE} needs an expression (text), and parameters (name: type) if any"
        raise ModelRefused([ModelProblem(code="condition", message=message)])
    parameters = {name: written_type(written) for name, written in types.items()}
    for name in identifiers(expression):
        parameters.setdefault(name, ParameterType(kind=ParameterKind.STRING))
    return CompiledCondition(Condition(name=INLINE, parameters=parameters, expression=expression))


def identifiers(expression: str) -> set[str]:
    """The free names of a CEL expression. Raises ModelRefused where it is not CEL."""
    try:
        names = set(_compiled(expression).variables())
    except (ValueError, TypeError, RuntimeError) as problem:
        raise ModelRefused([ModelProblem(code="condition", message=f"not CEL: {problem}")]) from problem
    return names - set(_BOUND.findall(expression)) - _TYPE_NAMES


def written_type(text: Json) -> ParameterType:
    """`string`, `list<int>` … as a type. Raises ModelRefused."""
    found = _WRITTEN_TYPE.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is not None:
            kind = ParameterKind(found[1])
            items = ParameterType(kind=ParameterKind(found[2])) if found[2] else None
            if kind.takes_items == (items is not None) and not (items and items.kind.takes_items):
                return ParameterType(kind=kind, items=items)
    except ValueError:
        pass
    raise ModelRefused([ModelProblem(code="condition", message=f"expected a parameter's type such as string or list<int>, found {text!r}")])
