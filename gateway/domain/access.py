"""Who may do what: scopes of API tokens, and what each includes.

A scope says what a token is for, not who holds it: that is its `actor`, which relationship checks are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

_ACTOR = re.compile(r"[a-z][a-z0-9_-]{0,63}:[^\s:#@*]+(/[^\s:#@*]+)*")
ACTOR_LIMIT = 256


class Scope(StrEnum):
    """What a token may be used for.

    reader: decisions, facts, changes, workflows and pages. submitter: ask for admissions and submit workflows, nothing
    else. author: what judges (bundles), and what a reader may. operator: steer workflows, dead letters and changes, and what
    a reader may. admin: everything, tokens and the audit too.
    """

    ADMIN = "admin"
    AUTHOR = "author"
    OPERATOR = "operator"
    READER = "reader"
    SUBMITTER = "submitter"


_INCLUDES: Mapping[Scope, frozenset[Scope]] = {
    Scope.ADMIN: frozenset(Scope),
    Scope.AUTHOR: frozenset({Scope.AUTHOR, Scope.READER}),
    Scope.OPERATOR: frozenset({Scope.OPERATOR, Scope.READER}),
    Scope.READER: frozenset({Scope.READER}),
    Scope.SUBMITTER: frozenset({Scope.SUBMITTER}),
}


def permits(held: Iterable[str], needed: Iterable[Scope]) -> bool:
    """Whether any of the scopes held includes any of those that would do. One nobody knows includes nothing."""
    wanted = frozenset(needed)
    known = {scope.value: scope for scope in Scope}
    return any(not wanted.isdisjoint(_INCLUDES[known[name]]) for name in held if name in known)


def is_actor(text: str) -> bool:
    """Whether this could be an Actor's `ref` (`user:work/42`) or a person (`person:ana`), as relationship checks name them."""
    return len(text) <= ACTOR_LIMIT and _ACTOR.fullmatch(text) is not None
