"""Tell: who could help with what stands against a change, and by which path those are related who did.

For people who may see names only. It is asked when it is shown, as relations are now, with the decision's own time for
conditions. Names are what forges called accounts and teams when they were synchronised, else when the decision was made.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.domain.people import called
from gateway.domain.record import Decision
from gateway.errors import Erased
from gateway.operations.recorded_owners import recorded_owners
from gateway.storage import RelationStore, Storage
from policies import Question
from policies.errors import RelationsError, RelationsRefused
from policies.relations import Explaining, Relations
from policies.relations.port import Given

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
    """helpers: (relation, object) → who. paths: question → why, step by step from the object to the user.

    away: why neither can be told now; None where they were.
    """

    helpers: Mapping[tuple[str, str], Helpers] = field(default_factory=dict)
    paths: Mapping[Question, tuple[str, ...]] = field(default_factory=dict)
    away: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRelations:
    """names: what forges call people, where this gateway synchronises that."""

    relations: Relations
    storage: Storage
    names: RelationStore | None

    async def __call__(self, decision: Decision) -> Told:
        """What can be told now; nothing of what cannot."""
        if not isinstance(self.relations, Explaining):
            return Told()
        wanted = {(v.who.relation, v.who.object) for v in decision.verdict.violations if v.who is not None}
        wanted |= {(hold.relation, hold.object) for hold in decision.verdict.holds}
        asked = [question for question, related in decision.relations if related][:_SHOWN_PATHS]
        given = await recorded_owners(self.storage, decision, [object for _, object in wanted] + [question.object for question in asked])
        try:
            users = await _users(self.relations, wanted, decision, given)
            paths = await self.relations.reasons(asked, at=decision.at, given=given) if asked else {}
        except RelationsError as problem:
            return Told(away=str(problem))  # shown beside a verdict that stands without it
        names = await self._names(_refs(users, paths), decision)
        return Told(
            helpers={
                place: Helpers(names=tuple(names.get(user, user) for user in found), complete=complete)
                for place, (found, complete) in users.items()
            },
            paths={question: tuple(_named(step, names) for step in path) for question, path in paths.items()},
        )

    async def _names(self, refs: set[str], decision: Decision) -> Mapping[str, str]:
        known = dict(await self.names.names(refs)) if self.names is not None else {}
        if refs <= known.keys():
            return known
        try:
            facts = await self.storage.blob(decision.input_digest)
        except Erased:
            facts = None
        return {**(called(facts) if facts else {}), **known}


async def _users(
    relations: Explaining, wanted: Collection[tuple[str, str]], decision: Decision, given: Given
) -> dict[tuple[str, str], tuple[Sequence[str], bool]]:
    users: dict[tuple[str, str], tuple[Sequence[str], bool]] = {}
    for relation, object in sorted(wanted):
        try:
            found = await relations.who(relation, object, at=decision.at, most=SHOWN_USERS, given=given)
        except RelationsRefused:
            continue  # the model knows no such relation: there is nobody to name
        users[relation, object] = (found.names, found.complete)
    return users


def _refs(users: Mapping[tuple[str, str], tuple[Sequence[str], bool]], paths: Mapping[Question, Iterable[str]]) -> set[str]:
    mentioned = {user for found, _ in users.values() for user in found}
    return mentioned | {ref for path in paths.values() for step in path for ref in _REF.findall(step)}


def _named(step: str, names: Mapping[str, str]) -> str:
    return _REF.sub(lambda ref: names.get(ref[0], ref[0]), step)
