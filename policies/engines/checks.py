"""What an engine itself refuses in a bundle, whoever checked it before: names that belong to the gateway, data over rules.

Separate, because it is the isolation of every evaluation and holds for both adapters. The
bundle checks (`policies.bundles`) refuse far more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from policies.bundles.model import Bundle
from policies.engines.queries import dotted
from policies.engines.reserved import RESERVED_MODULES, RESERVED_ROOTS
from policies.errors import Problem
from policies.model import Json


def package_of(tree: Json) -> tuple[str, ...]:
    """The package of a syntax tree, without the leading `data`."""
    assert isinstance(tree, dict)
    package = tree["package"]
    assert isinstance(package, dict)
    path = package["path"]
    assert isinstance(path, list)
    return tuple(str(part["value"]) for part in path[1:] if isinstance(part, dict))


def rule_names(tree: Json) -> tuple[str, ...]:
    """The first name of every rule of a syntax tree, each once, in the order of the file."""
    assert isinstance(tree, dict)
    rules = tree.get("rules") or []
    assert isinstance(rules, list)
    heads = [rule["head"] for rule in rules if isinstance(rule, dict)]
    return tuple(dict.fromkeys(str(head["ref"][0]["value"]) for head in heads if isinstance(head, dict)))  # type: ignore[index,call-overload]


def refusals(bundle: Bundle, trees: Mapping[str, Json | Problem]) -> tuple[Problem, ...]:
    """Why this bundle may not be evaluated, from the syntax trees of all its modules. Empty = it may."""
    problems = [tree for tree in trees.values() if isinstance(tree, Problem)]
    for path, tree in trees.items():
        problems += _misplaced(path)
        if not isinstance(tree, Problem):
            problems += _reserved(path, package_of(tree)) + _shadowed(path, tree, bundle.data)
    problems += _unwritable(bundle.data)
    problems += [_of_the_gateway(f"data key '{root}'", None) for root in RESERVED_ROOTS if root in bundle.data]
    return tuple(problems)


def _unwritable(data: Mapping[str, Json]) -> list[Problem]:
    """Dates of YAML, NaN, lone surrogates: nothing an engine could be given."""
    try:
        json.dumps(dict(data), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as problem:
        return [Problem(message=f"the bundle's data is not JSON: {problem}", advice="put what JSON has no form for in quotes")]
    return []


def _misplaced(path: str) -> list[Problem]:
    """One adapter writes modules to files: nothing may climb out of the folder, nor be overlooked by `opa`."""
    parts = PurePosixPath(path).parts
    if path.endswith(".rego") and "\0" not in path and ".." not in parts and parts[0] != "/" and str(PurePosixPath(path)) == path:
        return []
    return [Problem(path=path, message="expected a plain relative path that ends in .rego", advice="rename the file")]


def _reserved(path: str, package: tuple[str, ...]) -> list[Problem]:
    if package[0] in RESERVED_ROOTS:
        return [_of_the_gateway(f"package {dotted(package)}", path)]
    return [_of_the_gateway("file", path)] if path in RESERVED_MODULES else []


def _of_the_gateway(what: str, path: str | None) -> Problem:
    reserved = " and ".join(RESERVED_ROOTS)
    return Problem(
        path=path, message=f"{what} is reserved: the names {reserved} belong to the gateway and to OPA", advice="choose another name"
    )


def _shadowed(path: str, tree: Json, data: Mapping[str, Json]) -> list[Problem]:
    """OPA's own command refuses data that lies where a rule is; its library lets one hide the other."""
    package = package_of(tree)
    place: object = data
    for part in package:
        if not isinstance(place, Mapping) or part not in place:
            return []
        place = place[part]
    if not isinstance(place, Mapping):
        return [Problem(path=path, message=f"the bundle's data has a value where package {dotted(package)} is", advice="move the data")]
    return [
        Problem(path=path, message=f"rule {name} and the bundle's data are both at {dotted((*package, name))}", advice="rename one of them")
        for name in rule_names(tree)
        if name in place
    ]
