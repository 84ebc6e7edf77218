"""`bundle.yaml`: a bundle's name, its policies, and what each applies to. pydantic at the edge, values behind it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from policies.bundles.matching import CHANGE_FACETS, WORKFLOW_FACETS
from policies.bundles.model import Match
from policies.bundles.strict import Strict, fitted
from policies.bundles.text import Document, Unreadable, read_yaml
from policies.canonical import canonical
from policies.errors import NotCanonical, Problem
from policies.model import Action, Enforcement, JsonObject

MANIFEST_FILE = "bundle.yaml"
_BUNDLES_SHOWN = 4
NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_PACKAGE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[\"[^\"\\]+\"\])*"


def _glob(text: str) -> str:
    if not 0 < len(text) <= 200 or set(text) & set("[]{}!"):
        raise ValueError("a glob of 1 to 200 characters; it knows ?, * and **, and takes nothing else for special")
    return text


Glob = Annotated[str, AfterValidator(_glob)]
Globs = Annotated[list[Glob], Field(min_length=1)]


class _Facets(Strict):
    connections: Globs | None = None
    repositories: Globs | None = None
    branches: Globs | None = None
    workflows: Globs | None = None
    targets: Globs | None = None


class _Match(_Facets):
    action: Annotated[Action, Field(strict=False)]
    exclude: _Facets = _Facets()


class _Policy(Strict):
    package: Annotated[str, StringConstraints(pattern=rf"^{_PACKAGE}$")]
    match: _Match
    enforcement: Annotated[Enforcement, Field(strict=False)] = Enforcement.DENY
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class _Manifest(Strict):
    name: Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
    revision: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    description: str | None = None
    policies: Annotated[list[_Policy], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPolicy:
    """A policy as bundle.yaml lists it; `line` is where."""

    package: str
    match: Match
    enforcement: Enforcement
    parameters: JsonObject
    line: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
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
    parsed = fitted(_Manifest, document, MANIFEST_FILE)
    if not isinstance(parsed, _Manifest):
        raise ManifestRefused(parsed)
    problems = [*_listed_twice(parsed, document), *_facets_without_effect(parsed, document), *_not_canonical(parsed, document)]
    if problems:
        raise ManifestRefused(problems)
    policies = tuple(_listed(policy, document.line(("policies", number))) for number, policy in enumerate(parsed.policies))
    return Manifest(name=parsed.name, revision=parsed.revision, policies=policies)


def _where_instead(files: Mapping[str, bytes]) -> str:
    inside = sorted(folder for folder, slash, name in (path.rpartition("/") for path in files) if slash and name == MANIFEST_FILE)
    if inside:
        return f"name one of the bundles in it: {', '.join(inside[:_BUNDLES_SHOWN])}{', …' if len(inside) > _BUNDLES_SHOWN else ''}"
    near = difflib.get_close_matches(MANIFEST_FILE, [path for path in files if "/" not in path], n=1)
    return f"rename {near[0]}" if near else "write one, or start with: admit init DIR"


def _listed(policy: _Policy, line: int | None) -> ListedPolicy:
    facets = {name: tuple(globs) for name, globs in _facets(policy.match).items()}
    exclude = {name: tuple(globs) for name, globs in _facets(policy.match.exclude).items()}
    match = Match(action=policy.match.action, exclude=exclude, **facets)
    return ListedPolicy(package=policy.package, match=match, enforcement=policy.enforcement, parameters=policy.parameters, line=line)


def _facets(facets: _Facets) -> dict[str, list[str]]:
    return {name: globs for name in (*CHANGE_FACETS, *WORKFLOW_FACETS) if (globs := getattr(facets, name)) is not None}


def _listed_twice(manifest: _Manifest, document: Document) -> Iterable[Problem]:
    seen: set[str] = set()
    for number, policy in enumerate(manifest.policies):
        if policy.package in seen:
            message = f"expected every package once, found {policy.package} twice"
            yield _at(document, ("policies", number), message, "merge the two, or give one of them a package of its own")
        seen.add(policy.package)


def _facets_without_effect(manifest: _Manifest, document: Document) -> Iterable[Problem]:
    """A facet that this action does not have would silently match nothing or everything."""
    for number, policy in enumerate(manifest.policies):
        known = CHANGE_FACETS if policy.match.action is Action.MERGE else WORKFLOW_FACETS
        for place, facets in ((("match",), policy.match), (("match", "exclude"), policy.match.exclude)):
            for facet in _facets(facets):
                if facet not in known:
                    message = f"expected one of {', '.join(known)} for action {policy.match.action.value}, found {facet}"
                    yield _at(document, ("policies", number, *place, facet), message, "remove it")


def _not_canonical(manifest: _Manifest, document: Document) -> Iterable[Problem]:
    """Parameters are recorded with decisions, so they have to mean the same to every reader."""
    for number, policy in enumerate(manifest.policies):
        try:
            canonical(policy.parameters)
        except NotCanonical as problem:
            place = ("policies", number, "parameters")
            yield _at(document, place, f"policies[{number}].parameters: {problem}", "write large numbers as text")


def _at(document: Document, place: tuple[int | str, ...], message: str, advice: str | None = None) -> Problem:
    return Problem(path=MANIFEST_FILE, line=document.line(place), message=message, advice=advice)


def is_bundle_name(text: str) -> bool:
    """True for what may stand as `name` in bundle.yaml (and in `/v1/bundles/{name}`)."""
    return re.fullmatch(NAME, text) is not None
