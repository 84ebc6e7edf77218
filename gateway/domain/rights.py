"""What people do to the gateway itself, and what gives them the right to it: a scope of their token, or a relation.

Each act is said once, here. The relation is asked of whatever the act is about, in the engine that policies ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.access import Scope
from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One kind of them. words: as in "may not …"."""

    words: str
    scope: Scope
    relation: str


PUBLISH = Act(words="publish or steer this bundle", scope=Scope.AUTHOR, relation="publisher")
"""About the organisations whose repositories its policies judge."""
OVERRIDE = Act(words="override this", scope=Scope.OPERATOR, relation="override")
"""About the change's repository."""
STEER = Act(words="steer this", scope=Scope.OPERATOR, relation="reviver")
"""Retry, give up, cancel or revive a workflow: about the repository of its change, or the target of its submission."""
SUBMIT = Act(words="submit this", scope=Scope.SUBMITTER, relation="submitter")
"""About the target it would run on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an act is about: the relation is needed to each of these objects. None: no relation is enough, `otherwise` says why."""

    objects: tuple[str, ...] = ()
    otherwise: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The right was there. who: the token's name. related: what its holder is; empty where the scope was enough."""

    who: str
    actor: str | None
    related: tuple[str, ...] = ()

    def details(self) -> Mapping[str, Json]:
        """For the audit: on whose behalf and by what right, where the token's name and scope do not say it."""
        actor: dict[str, Json] = {} if self.actor is None else {"actor": self.actor}
        return {**actor, "right": list(self.related)} if self.related else actor
