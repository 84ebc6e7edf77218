"""The checks on a bundle's Rego that need only its syntax tree. Each yields what is wrong, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from policies.bundles.builtins import ALLOWED, REFUSED
from policies.bundles.syntax import Module, Program, Ref, Rule, RulePath, mentioned, metadata_of, nodes, ref_of, references
from policies.engines.reserved import RESERVED_ROOTS
from policies.errors import Problem
from policies.model import Json

COUNTS = re.compile(r"(deny|violation|warn|hold)(_[A-Za-z0-9_]+)?")
"""Names of rules whose values decide: conftest's and Gatekeeper's conventions, and `hold`."""
EVALUATED = re.compile(rf"{COUNTS.pattern}|questions|expires")
"""Names of all rules the gateway evaluates."""


def reserved_names(module: Module, program: Program) -> Iterator[Problem]:
    """Packages that belong to the gateway or to OPA itself."""
    if module.package and module.package[0] in RESERVED_ROOTS:
        message = f"expected a package of the bundle's own, found {module.package_name}: {module.package[0]} is reserved"
        yield Problem(
            path=module.path, line=program.places(module).package(), message=message, advice="give the package another first name"
        )


def refused_builtins(module: Module, program: Program) -> Iterator[Problem]:
    """Every reference to a builtin that is not on the allow-list, called or not."""
    places = program.places(module)
    for ref in _each(references(module.tree)):
        if ref.dotted in REFUSED:
            for line in places.ref(ref):
                message = f"{ref.dotted} is not available to policies: {REFUSED[str(ref.dotted)]}"
                yield Problem(path=module.path, line=line, message=message)
    known = frozenset({"input", "data", *(imported.alias for imported in module.imports), *program.names_of(module.package)})
    for rule in module.rules:
        for ref in _each(_unknown_functions(rule, known)):
            message = f"{ref.dotted} is no function of this bundle, and not among the builtins available to policies"
            yield Problem(path=module.path, line=places.ref(ref, rule)[0], message=message)


def _unknown_functions(rule: Rule, known: frozenset[str]) -> Iterator[Ref]:
    names: frozenset[str] | None = None
    for ref in _called_or_replaced(rule):
        if ref.dotted is None or ref.root in known or ref.dotted in ALLOWED or ref.dotted in REFUSED:
            continue
        names = frozenset(str(node["value"]) for node in _loose_variables(rule.node)) if names is None else names
        if ref.root not in names:
            yield ref


def _called_or_replaced(rule: Rule) -> Iterator[Ref]:
    for node in nodes(rule.node):
        if node.get("type") == "call":
            yield ref_of(node["value"][0])
        if isinstance(node.get("terms"), list):
            yield ref_of(node["terms"][0])
        for clause in node.get("with") or ():
            for side in (clause["target"], clause["value"]):
                if side["type"] in ("ref", "var"):
                    yield ref_of(side)


def _loose_variables(node: Json | Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Variables that stand by themselves, not at the head of a reference: those a rule may have bound."""
    replaced = {id(clause[side]) for here in nodes(node) for clause in here.get("with") or () for side in ("target", "value")}
    heads = {id(here["value"][0]) for here in nodes(node) if here.get("type") == "ref"}
    return (here for here in nodes(node) if here.get("type") == "var" and id(here) not in heads | replaced)


def own_schemas(module: Module) -> Iterator[Problem]:
    """METADATA that brings schemas of its own: they could name addresses to fetch, and hide a typo from the check."""
    for block in metadata_of(module):
        if "schemas" in (block.content or {}):
            message = "METADATA with schemas: input is checked against the gateway's own schema"
            yield Problem(path=module.path, line=block.row, message=message, advice="remove the key schemas")


def wrong_shapes(module: Module, program: Program) -> Iterator[Problem]:
    """Rules that decide but can never be a set: every evaluation of them would be undecided."""
    places = program.places(module)
    for rule in module.rules:
        if EVALUATED.fullmatch(rule.name) and (found := _not_a_set(rule)) is not None:
            message = f"{rule.name}: expected a set of messages, found {found}"
            example = "questions contains admit.question(…) if …" if rule.name == "questions" else f'{rule.name} contains "why" if …'
            yield Problem(path=module.path, line=places.rule(rule), message=message, advice=f"write: {example}")


def _not_a_set(rule: Rule) -> str | None:
    if rule.arguments:
        return "a function"
    if rule.is_set:
        return None
    if len(rule.head.get("ref") or ()) > 1:
        return "an object with keys"
    value = rule.head.get("value") or {}
    match value.get("type"):
        case "boolean" | "string" | "number" | "null" | "array" | "object" as kind:
            return f"a {kind}" if kind not in ("array", "object", "null") else f"an {kind}" if kind != "null" else "null"
    return None


def questions_that_read_answers(package: tuple[str, ...], program: Program) -> Iterator[Problem]:
    """`questions` runs before there are answers: it may not look at `input.relations`, itself or through other rules."""
    for module, rule in program.behind((*package, "questions")):
        places = program.places(module)
        for ref in _each(mentioned(rule.node)):
            meant = program.absolute(ref, module)
            reads = meant.root == "input" and meant.steps[:1] == ("relations",)
            if reads or (meant.root == "data" and meant.steps[:2] == ("admit", "related")):
                through = "" if rule.name == "questions" else f" through {rule.name}"
                message = f"questions reads the answers{through} ({ref}), but is evaluated before there are any"
                advice = "ask for every relation the policy may look at"
                yield Problem(path=module.path, line=places.ref(ref, rule)[0], message=message, advice=advice)


def data_under_rules(data: Json, program: Program) -> Iterator[Problem]:
    """Data that lies where a rule does: OPA would show only one of the two."""
    told: set[RulePath] = set()
    for path in program.paths():
        both = _in_both(data, path)
        if both is not None and both not in told:
            told.add(both)
            module, rule = program.rules(path)[0]
            message = f"expected a rule or data, found both at data.{'.'.join(both)}"
            yield Problem(path=module.path, line=program.places(module).rule(rule), message=message, advice="rename one of them")


def _in_both(data: Json, path: RulePath) -> RulePath | None:
    """Where along a rule's path a piece of data stands in its way."""
    value = data
    for number, step in enumerate(path):
        if not isinstance(value, dict):
            return path[:number]
        if step not in value:
            return None
        value = value[step]
    return path


def _each(refs: Iterator[Ref]) -> Iterator[Ref]:
    return iter(dict.fromkeys(refs))


def unlisted_rules(program: Program, sources: Mapping[str, str], listed: frozenset[RulePath]) -> Iterator[Problem]:
    """Rules that decide in a package bundle.yaml does not name: whoever wrote them believes they are in force.

    A package that others may build on (anything mentions `data.` and its first name) is left alone.
    """
    for module in program.modules:
        first = next((rule for rule in module.rules if COUNTS.fullmatch(rule.name)), None)
        if first is None or module.package in listed or _may_be_used(module, sources):
            continue
        message = f"package {module.package_name} has a rule {first.name}, but bundle.yaml does not name the package: it would never judge"
        advice = f"add it under policies: in bundle.yaml (- package: {module.package_name}), or give the rule another name"
        yield Problem(path=module.path, line=program.places(module).rule(first), message=message, advice=advice)


def _may_be_used(module: Module, sources: Mapping[str, str]) -> bool:
    return any(f"data.{module.package[0]}" in source for path, source in sources.items() if path != module.path)
