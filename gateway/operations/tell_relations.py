"""Tell: who could help with what stands against a change, and by which path those are related who did.

For people who may see names only. It is asked when it is shown, as relations are now, with the decision's own time for
conditions; names are what forges called accounts and teams when they were synchronised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.domain.record import Decision
from gateway.operations.own_relations import OwnRelations
from gateway.operations.recorded_owners import recorded_owners
from gateway.storage import Storage
from policies import Question, rfc3339
from policies.errors import RelationsError, RelationsRefused

SHOWN_USERS = 10
"""Names shown of those who could help."""
_SHOWN_PATHS = 20
_REF = re.compile(r"[^\s:#]+:[^\s:#,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """Who has a relation to an object, by name. Not `complete`: there are more."""

    names: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """helpers: (relation, object) → who. paths: question → why, step by step from the object to the user."""

    helpers: Mapping[tuple[str, str], Helpers] = field(default_factory=dict)
    paths: Mapping[Question, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRelations:
    """own: None where somebody else keeps relations, and nothing is told."""

    own: OwnRelations | None
    storage: Storage

    async def __call__(self, decision: Decision) -> Told:
        """What can be told now; nothing of what cannot."""
        if self.own is None:
            return Told()
        asked_for = {(v.who.relation, v.who.object) for v in decision.verdict.violations if v.who is not None}
        asked_for |= {(hold.relation, hold.object) for hold in decision.verdict.holds}
        asked = [question for question, related in decision.relations if related][:_SHOWN_PATHS]
        given = await recorded_owners(self.storage, decision, [object for _, object in asked_for] + [question.object for question in asked])
        told_time = {"current_time": rfc3339(decision.at)}
        users: dict[tuple[str, str], tuple[Sequence[str], bool]] = {}
        paths: dict[Question, tuple[str, ...]] = {}
        try:
            for relation, object in sorted(asked_for):
                try:
                    contextual = given.get(object, ())
                    found = await self.own.users(object, relation, "user", context=told_time, contextual=contextual, most=SHOWN_USERS)
                except RelationsRefused:
                    continue  # the model knows no such relation: there is nobody to name
                users[relation, object] = (found.names, found.complete)
            for question in asked:
                contextual = given.get(question.object, ())
                _, path = await self.own.path(question.user, question.relation, question.object, context=told_time, contextual=contextual)
                if path:
                    paths[question] = path
        except RelationsError:
            return Told()  # shown beside a verdict that stands without it
        names = await self.own.store.names(_refs(users, paths))
        return Told(
            helpers={
                place: Helpers(names=tuple(names.get(user, user) for user in found), complete=complete)
                for place, (found, complete) in users.items()
            },
            paths={question: tuple(_named(step, names) for step in path) for question, path in paths.items()},
        )


def _refs(users: Mapping[tuple[str, str], tuple[Sequence[str], bool]], paths: Mapping[Question, Iterable[str]]) -> set[str]:
    mentioned = {user for found, _ in users.values() for user in found}
    return mentioned | {ref for path in paths.values() for step in path for ref in _REF.findall(step)}


def _named(step: str, names: Mapping[str, str]) -> str:
    return _REF.sub(lambda ref: names.get(ref[0], ref[0]), step)
