"""Calls: functions of the bundle are followed with their arguments, builtins read theirs; `:=` and `=` bind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.bundles.syntax import Node, RulePath, ref_of, static
from policies.footprint import builtins, comparisons, terms
from policies.footprint.values import OTHER, UNKNOWN, Env, Value

if TYPE_CHECKING:
    from policies.footprint.frame import Frame


def call(frame: Frame, operator: Node, arguments: Sequence[Node], env: Env) -> Value:
    """What a call can give back."""
    name = ref_of(operator)
    if name.dotted in ("assign", "eq") and len(arguments) == 2:
        return _unify(frame, arguments[0], arguments[1], env, is_comparison=name.dotted == "eq")
    target = frame.absolute(name, env)
    values = [terms.term(frame, argument, env) for argument in arguments]
    if target.root == "data":
        return _function(frame, static(target), arguments, values, env)
    comparisons.check(frame, str(name.dotted), arguments, values)
    return builtins.result(frame, str(name.dotted), arguments, values, env)


def _unify(frame: Frame, left: Node, right: Node, env: Env, *, is_comparison: bool) -> Value:
    of_left, of_right = terms.term(frame, left, env), terms.term(frame, right, env)
    terms.bind(frame, left, of_right, env)
    if is_comparison:
        terms.bind(frame, right, of_left, env)
        comparisons.check(frame, "eq", (left, right), (of_left, of_right))
        frame.follower.read(of_left)
        frame.follower.read(of_right)
    return OTHER


def _function(frame: Frame, path: RulePath, arguments: Sequence[Node], values: list[Value], env: Env) -> Value:
    follower = frame.follower
    definitions = follower.program.rules(path)
    if not definitions:
        return _reserved(frame, path, values)
    expected = max(len(rule.arguments) for _, rule in definitions)
    given = values[:expected]
    if follower.notes.quiet and not all(given):
        return UNKNOWN
    found = follower.rule(path, [value or OTHER for value in given])
    if len(arguments) == expected + 1:
        terms.bind(frame, arguments[-1], found, env)
    return found


def _reserved(frame: Frame, path: RulePath, values: list[Value]) -> Value:
    """`admit.question`, `admit.related`: the module is the gateway's, and not among the bundle's."""
    for value in values:
        frame.follower.read(value)
    if path[:2] == ("admit", "related"):
        frame.follower.notes.read([("relations",)])
    return OTHER
