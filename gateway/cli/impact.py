"""What policies look at, from both sides: each fact with the policies that read it, each policy with the facts it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from policies.footprint import ITEM, Footprint
from policies.model import PolicyId

_THINGS = ("change", "workflow")
_NOT_FACTS = ("parameters", "relations")
"""Of the input, but neither the forge's nor the submitter's to say."""


def documents(reads: Mapping[PolicyId, Footprint]) -> dict[str, Any]:
    """Facts by name with the ids of those who read them; `anything`: those who may read whatever there is."""
    return {
        "facts": {fact: [str(policy) for policy in policies] for fact, policies in _by_fact(reads).items()},
        "anything": [str(policy) for policy, footprint in sorted(reads.items()) if footprint.dynamic],
        "policies": {
            str(policy): {"reads": list(footprint.written), "unchecked": [str(reference) for reference in footprint.unfollowed]}
            for policy, footprint in sorted(reads.items())
        },
    }


def lines(reads: Mapping[PolicyId, Footprint]) -> Iterator[str]:
    """For people: a fact, and below it who reads what of it; then a table of the policies, each with its facts."""
    by_fact = _by_fact(reads)
    for fact, policies in by_fact.items():
        yield fact
        for policy in policies:
            inside = _inside(reads[policy], fact)
            yield f"  {policy}" + (f"  ({', '.join(inside)})" if inside else "")
    anything = [policy for policy, footprint in sorted(reads.items()) if footprint.dynamic]
    if anything:
        yield "anything (a path that is made while it is evaluated)"
        yield from (f"  {policy}" for policy in anything)
    unchecked = [f"  {policy}: {reference}" for policy, footprint in sorted(reads.items()) for reference in footprint.unfollowed]
    if unchecked:
        yield "not checked for misspelt names"
        yield from unchecked
    if reads:
        yield ""
        yield from _table(reads, by_fact)


def _table(reads: Mapping[PolicyId, Footprint], by_fact: Mapping[str, Sequence[PolicyId]]) -> Iterator[str]:
    """A line for each policy: its facts, those that belong to one thing named once (`change: author, labels`)."""
    width = max(len(str(policy)) for policy in (*reads, "policy"))
    yield f"{'policy':<{width}}  reads"
    for policy, footprint in sorted(reads.items()):
        facts = [fact for fact, readers in by_fact.items() if policy in readers]
        yield f"{policy!s:<{width}}  {'anything' if footprint.dynamic else _together(facts) or 'nothing'}"


def _together(facts: Iterable[str]) -> str:
    things: dict[str, list[str]] = {}
    for thing, _, name in (fact.partition(".") for fact in facts):
        things.setdefault(thing, []).append(name)
    return "; ".join(f"{thing}: {', '.join(names)}" if names != [""] else thing for thing, names in things.items())


def _inside(footprint: Footprint, fact: str) -> list[str]:
    """The parts of a fact that are read, without the items' brackets: `state`, `user.ref`."""
    below = [written.removeprefix(fact) for written in footprint.written if written.startswith((f"{fact}.", f"{fact}["))]
    return sorted({part for path in below if (part := path.replace(ITEM, "").lstrip("."))})


def _by_fact(reads: Mapping[PolicyId, Footprint]) -> dict[str, list[PolicyId]]:
    """`change.labels` → its readers; both sorted."""
    found: dict[str, set[PolicyId]] = {}
    for policy, footprint in reads.items():
        for path in footprint.paths:
            fact = _fact(path)
            if fact is not None:
                found.setdefault(fact, set()).add(policy)
    return {fact: sorted(policies) for fact, policies in sorted(found.items())}


def _fact(path: tuple[str, ...]) -> str | None:
    if not path or path[0] in _NOT_FACTS:
        return None
    deep = path[:2] if path[0] in _THINGS and len(path) > 1 and path[1] != ITEM else path[:1]
    return ".".join(deep)
