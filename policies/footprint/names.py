"""Names in a rule: which it declares itself, and the branches they hold in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.bundles.syntax import Node, Rule, nodes, ref_of


def branches_of(rule: Rule) -> Iterator[Node]:
    """A rule and its `else` branches, each with the rule's arguments."""
    branch: Mapping[str, Any] | None = rule.node
    arguments = rule.head.get("args")
    while branch is not None:
        yield {**branch, "head": {**branch["head"], "args": arguments}} if arguments else branch
        branch = branch.get("else")


def declared_in(rule: Rule) -> frozenset[str]:
    """Arguments, and what `some`, `every` and `:=` declare: they hide rules and imports of the same name."""
    patterns = [*rule.arguments, *_declarations(rule)]
    heads = {id(node["value"][0]) for pattern in patterns for node in nodes(pattern) if node.get("type") == "ref"}
    variables = (node for pattern in patterns for node in nodes(pattern) if node.get("type") == "var" and id(node) not in heads)
    return frozenset(str(node["value"]) for node in variables)


def _declarations(rule: Rule) -> Iterator[Node]:
    for node in nodes(rule.node):
        terms = node.get("terms")
        if isinstance(terms, list) and ref_of(terms[0]).dotted == "assign":
            yield terms[1]
        elif isinstance(terms, Mapping) and "symbols" in terms:
            for symbol in terms["symbols"]:
                yield from symbol["value"][1:-1] if symbol["type"] == "call" else [symbol]
        elif isinstance(terms, Mapping) and "domain" in terms:
            yield from (part for part in (terms.get("key"), terms["value"]) if part is not None)


def fixed_step(term: Node) -> str | int | None:
    """A step of a reference that is written down; None for one that is only known at evaluation."""
    match term:
        case {"type": "string", "value": str(name)}:
            return name
        case {"type": "number", "value": int(number)}:
            return number
    return None
