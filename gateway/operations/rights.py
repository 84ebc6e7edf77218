"""Rights: whether whoever holds a token may do an act. The one place where scope and relation are weighed.

The scope goes first and asks nobody, so that operators can act while relations cannot be asked. Relations that cannot be
asked refuse: for good where the question is wrong, for now where nobody answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.access import permits
from gateway.domain.clock import Clock
from gateway.domain.rights import Act, Granted, Reach
from gateway.errors import NotAllowed
from gateway.storage import StoredToken
from policies import Question
from policies.errors import RelationsRefused, RelationsUnavailable
from policies.relations import Relations
from providers.errors import TemporaryError

FindReach: TypeAlias = Callable[[], Awaitable[Reach]]
"""Called only where the scope is not enough: finding out what an act is about may mean asking a forge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Asks for the scope, then for the relation to everything the act is about."""

    relations: Relations
    clock: Clock

    async def __call__(self, act: Act, by: StoredToken, reach: FindReach) -> Granted:
        """Raises NotAllowed, TemporaryError where it cannot be found out now, and what `reach` raises."""
        if permits(by.scopes, [act.scope]):
            return Granted(who=by.name, actor=by.actor)
        found = await reach()
        if not found.objects:
            raise NotAllowed(f"{_may_not(act, by)}, since {found.otherwise}")
        refused = f"{_may_not(act, by)}, or the relation {act.relation} to {' and '.join(found.objects)}"
        if by.actor is None:
            raise NotAllowed(refused)
        questions = [Question(user=by.actor, relation=act.relation, object=object) for object in found.objects]
        try:
            answers = await self.relations.answers(questions, at=self.clock())
        except RelationsRefused as problem:
            raise NotAllowed(f"{refused}, which cannot be asked: {problem}", advice=problem.advice) from problem
        except RelationsUnavailable as problem:
            raise TemporaryError(f"whether the token '{by.name}' may {act.words} cannot be found out: {problem}") from problem
        if not all(answers[question] for question in questions):
            raise NotAllowed(refused)
        return Granted(who=by.name, actor=by.actor, related=tuple(f"{act.relation} of {object}" for object in found.objects))


def lacking(act: Act, by: StoredToken) -> str:
    """Why this token may not, before anything is known of what the act is about."""
    return f"{_may_not(act, by)}, or an actor with the relation {act.relation}"


def _may_not(act: Act, by: StoredToken) -> str:
    return f"the token '{by.name}' may not {act.words}; it needs the scope {act.scope.value}"
