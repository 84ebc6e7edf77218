"""`bundle.yaml`: a bundle's name, its policies, and what each applies to. A shape at the edge, values behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from policies.bundles.matching import CHANGE_FACETS, WORKFLOW_FACETS
from policies.bundles.model import Match
from policies.bundles.strict import fitted, keys, or_nothing
from policies.bundles.text import Document, Unreadable, read_yaml
from policies.canonical import canonical
from policies.errors import NotCanonical, Problem
from policies.model import Action, Enforcement, JsonObject
from policies.nearest import nearest
from policies.values import value

MANIFEST_FILE = "bundle.yaml"
_BUNDLES_SHOWN = 4
NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_PACKAGE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[\"[^\"\\]+\"\])*"


_GLOB = {
    "type": "string",
    "pattern": r"^[^\[\]{}!]{1,200}\Z",
    "expected": "a glob of 1 to 200 characters; it knows ?, * and **, and takes nothing else for special",
}
_GLOBS = or_nothing({"type": "array", "items": _GLOB, "minItems": 1})
_FACETS = dict.fromkeys(("connections", "repositories", "branches", "workflows", "targets"), _GLOBS)
_MATCH = keys({"action": {"type": "string", "enum": [action.value for action in Action]}}, **_FACETS, exclude=keys({}, **_FACETS))
_POLICY = keys(
    {
        "package": {"type": "string", "pattern": rf"^{_PACKAGE}\Z", "expected": "a Rego package, like merge.approvals"},
        "match": _MATCH,
    },
    enforcement={"type": "string", "enum": [each.value for each in Enforcement], "default": Enforcement.DENY.value},
    parameters={"type": "object", "default": {}},
)
_MANIFEST = keys(
    {
        "name": {"type": "string", "pattern": rf"^{NAME}\Z", "expected": "letters, digits, dots, dashes and underscores"},
        "policies": {"type": "array", "items": _POLICY, "minItems": 1},
    },
    revision=or_nothing({"type": "string", "minLength": 1, "maxLength": 200, "expected": "a text of 1 to 200 characters"}),
    description=or_nothing({"type": "string"}),
)


@value
class ListedPolicy:
    """A policy as bundle.yaml lists it; `line` is where."""

    package: str
    match: Match
    enforcement: Enforcement
    parameters: JsonObject
    line: int | None


@value
class Manifest:
    """What bundle.yaml says."""

    name: str
    revision: str | None
    policies: tuple[ListedPolicy, ...]


class ManifestRefused(Exception):
    """bundle.yaml cannot be used; every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class NoManifest(ManifestRefused):
    """There is none, so that this is no bundle: whatever else is wrong with the files says nothing."""


def read_manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest among a bundle's files. Raises ManifestRefused."""
    if MANIFEST_FILE not in files:
        raise NoManifest([Problem(message=f"expected a file {MANIFEST_FILE}, found none", advice=_where_instead(files))])
    try:
        document = read_yaml(MANIFEST_FILE, files[MANIFEST_FILE])
    except Unreadable as unreadable:
        raise ManifestRefused([unreadable.problem]) from unreadable
    parsed = fitted(_MANIFEST, document, MANIFEST_FILE)
    if isinstance(parsed, list):
        raise ManifestRefused(parsed)
    listed = parsed["policies"]
    problems = [*_listed_twice(listed, document), *_facets_without_effect(listed, document), *_not_canonical(listed, document)]
    if problems:
        raise ManifestRefused(problems)
    policies = tuple(_listed(policy, document.line(("policies", number))) for number, policy in enumerate(listed))
    return Manifest(name=parsed["name"], revision=parsed["revision"], policies=policies)


def _where_instead(files: Mapping[str, bytes]) -> str:
    inside = sorted(folder for folder, slash, name in (path.rpartition("/") for path in files) if slash and name == MANIFEST_FILE)
    if inside:
        return f"name one of the bundles in it: {', '.join(inside[:_BUNDLES_SHOWN])}{', …' if len(inside) > _BUNDLES_SHOWN else ''}"
    near = nearest(MANIFEST_FILE, [path for path in files if "/" not in path])
    return f"rename {near}" if near else "write one, or start with: admit init DIR"


def _listed(policy: dict[str, Any], line: int | None) -> ListedPolicy:
    match = Match(
        action=Action(policy["match"]["action"]),
        exclude={name: tuple(globs) for name, globs in _facets(policy["match"]["exclude"]).items()},
        **{name: tuple(globs) for name, globs in _facets(policy["match"]).items()},
    )
    return ListedPolicy(
        package=policy["package"],
        match=match,
        enforcement=Enforcement(policy["enforcement"]),
        parameters=policy["parameters"],
        line=line,
    )


def _facets(match: Mapping[str, Any] | None) -> dict[str, list[str]]:
    return {name: globs for name in (*CHANGE_FACETS, *WORKFLOW_FACETS) if (globs := (match or {}).get(name)) is not None}


def _listed_twice(policies: list[dict[str, Any]], document: Document) -> Iterable[Problem]:
    seen: set[str] = set()
    for number, policy in enumerate(policies):
        if policy["package"] in seen:
            message = f"expected every package once, found {policy['package']} twice"
            yield _at(document, ("policies", number), message, "merge the two, or give one of them a package of its own")
        seen.add(policy["package"])


def _facets_without_effect(policies: list[dict[str, Any]], document: Document) -> Iterable[Problem]:
    """A facet that this action does not have would silently match nothing or everything."""
    for number, policy in enumerate(policies):
        match = policy["match"]
        known = CHANGE_FACETS if match["action"] == Action.MERGE.value else WORKFLOW_FACETS
        for place, facets in ((("match",), match), (("match", "exclude"), match["exclude"])):
            for facet in _facets(facets):
                if facet not in known:
                    message = f"expected one of {', '.join(known)} for action {match['action']}, found {facet}"
                    yield _at(document, ("policies", number, *place, facet), message, "remove it")


def _not_canonical(policies: list[dict[str, Any]], document: Document) -> Iterable[Problem]:
    """Parameters are recorded with decisions, so they have to mean the same to every reader."""
    for number, policy in enumerate(policies):
        try:
            canonical(policy["parameters"])
        except NotCanonical as problem:
            place = ("policies", number, "parameters")
            yield _at(document, place, f"policies[{number}].parameters: {problem}", "write large numbers as text")


def _at(document: Document, place: tuple[int | str, ...], message: str, advice: str | None = None) -> Problem:
    return Problem(path=MANIFEST_FILE, line=document.line(place), message=message, advice=advice)


def is_bundle_name(text: str) -> bool:
    """True for what may stand as `name` in bundle.yaml (and in `/v1/bundles/{name}`)."""
    return re.fullmatch(NAME, text) is not None
