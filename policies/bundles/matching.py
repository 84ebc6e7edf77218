"""Whether a policy's `match` fits a request.

Globs: `?` is one character and `*` any number of them, neither crosses `/`; `**` crosses it, and `**/` may stand
for nothing. Connections and repositories ignore case, because forges do; branches, workflows and targets do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from policies.bundles.model import Match
from policies.model import Action, AdmissionRequest, ChangeFacts

CHANGE_FACETS = ("connections", "repositories", "branches")
WORKFLOW_FACETS = ("workflows", "targets")
_CASELESS = frozenset({"connections", "repositories"})
_PARTS = re.compile(r"\*\*/|\*\*|.", re.DOTALL)


def matches(match: Match, request: AdmissionRequest) -> bool:
    """True if the action is the same, every facet fits one of its globs, and no excluded glob fits its facet."""
    return match.action is request.action and _fits_all(match, _facets(request))


def matches_merge(match: Match, *, connection: str, repository: str, branch: str) -> bool:
    """True if a merge into that branch would be matched: all that is needed to know whom a bundle concerns."""
    facets = {"connections": connection, "repositories": repository, "branches": branch}
    return match.action is Action.MERGE and _fits_all(match, facets)


def could_match_in(match: Match, *, connection: str, repository: str) -> bool:
    """True if a merge in that repository would be matched, into some branch at least."""
    return match.action is Action.MERGE and _fits_all(match, {"connections": connection, "repositories": repository})


def _fits_all(match: Match, facets: Mapping[str, str]) -> bool:
    for facet, text in facets.items():
        ignore_case, excluded = facet in _CASELESS, match.exclude.get(facet, ())
        if not fits(getattr(match, facet), text, ignore_case=ignore_case):
            return False
        if excluded and fits(excluded, text, ignore_case=ignore_case):
            return False
    return True


def fits(globs: Iterable[str], text: str, *, ignore_case: bool = False) -> bool:
    """True if the whole text is described by one of the globs."""
    return _fits_one_of(tuple(globs), text, ignore_case)


@lru_cache(maxsize=8192)
def _fits_one_of(globs: tuple[str, ...], text: str, ignore_case: bool) -> bool:
    """Remembered: policies ask the same of every change to a repository."""
    if ignore_case:
        return any(_fits(glob.casefold(), text.casefold()) for glob in globs)
    return any(_fits(glob, text) for glob in globs)


def _facets(request: AdmissionRequest) -> dict[str, str]:
    thing = request.thing
    if isinstance(thing, ChangeFacts):
        return {"connections": thing.connection, "repositories": thing.repository, "branches": thing.target_branch}
    return {"workflows": thing.name, "targets": thing.target}


def _fits(glob: str, text: str) -> bool:
    """All places the glob may have got to, character by character: linear, since a repository's own bundle brings globs too."""
    parts = _PARTS.findall(glob)
    here = _reached({(0, False)}, parts)
    for char in text:
        here = _reached({after for place in here for after in _after(place, char, parts)}, parts)
        if not here:
            return False
    return (len(parts), False) in here


_Place: TypeAlias = "tuple[int, bool]"
"""Before which part, and whether inside the folders of a `**/`."""


def _reached(places: set[_Place], parts: list[str]) -> set[_Place]:
    """The places, and those behind parts that may stand for nothing."""
    reached = set(places)
    for number, inside in sorted(places):
        while not inside and number < len(parts) and parts[number] in ("*", "**", "**/"):
            number += 1
            reached.add((number, False))
    return reached


def _after(place: _Place, char: str, parts: list[str]) -> Iterator[_Place]:
    number, _ = place
    match parts[number] if number < len(parts) else None:
        case "**":
            yield place
        case "**/":
            yield number, True
            if char == "/":
                yield number + 1, False
        case "*" if char != "/":
            yield place
        case "?" if char != "/":
            yield number + 1, False
        case part if part == char and part not in ("*", "?"):
            yield number + 1, False
