"""Ask again: relations changed, so the recorded questions of open changes are asked anew, and who got other answers is judged.

It runs after the change is committed. A judgement that was under way meanwhile looks once more itself after it has been
recorded (`moved`), so that between the two no change keeps an answer that is not so any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch
from gateway.domain.record import Decision, TrackedChange
from gateway.operations.receive import judge_dispatch
from gateway.operations.recorded_owners import recorded_owners
from gateway.storage import Storage
from gateway.storage.checks import admitted_first
from gateway.storage.keys import repository_key
from policies import Outcome, Reason
from policies.code_owners import SOURCE
from policies.errors import RelationsRefused, RelationsUnavailable
from policies.relations import Relations
from providers.errors import TemporaryError
from providers.vcs import ChangeEvent, ChangeKey

log = structlog.get_logger()

_LIMIT = 100_000
"""Open changes asked about; nobody has that many, and none may be missed."""
_UNANSWERED = frozenset({Reason.RELATIONS_REFUSED, Reason.RELATIONS_UNAVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """Finds the open changes whose answers moved."""

    storage: Storage
    relations: Relations
    clock: Clock

    async def __call__(self, cause: str) -> int:
        """Have every open change judged whose answers are other ones now; how many. Once for each `cause` and change.

        Raises TemporaryError where relations cannot be asked.
        """
        dispatches = [
            _judged_again(change, cause)
            for change in admitted_first(await self.storage.changes(limit=_LIMIT))
            if (decision := await self._decision(change)) is not None and await self._concerned(decision)
        ]
        await self.storage.record_dispatches(dispatches)
        if dispatches:
            log.info("relationships moved", cause=cause, changes=len(dispatches))
        return len(dispatches)

    async def moved(self, decision: Decision) -> bool:
        """Whether any answer the decision rests on is another one now. Raises TemporaryError."""
        if not decision.relations:
            return False
        questions = [question for question, _ in decision.relations]
        try:
            given = await recorded_owners(self.storage, decision, [question.object for question in questions])
            answers = await self.relations.answers(questions, at=self.clock(), given=given)
        except RelationsRefused:
            return True
        except RelationsUnavailable as problem:
            raise TemporaryError(str(problem)) from problem
        return any(answers[question] != related for question, related in decision.relations)

    async def _decision(self, change: TrackedChange) -> Decision | None:
        """None: not judged yet, which is on its way already."""
        return await self.storage.decision(change.decision_id) if change.decision_id else None

    async def _concerned(self, decision: Decision) -> bool:
        """Moved, or what it could not be told then may be told now."""
        return _may_be_told_now(decision) or await self.moved(decision)


def _may_be_told_now(decision: Decision) -> bool:
    """What could not be asked, or stands against it although CODEOWNERS names owners whom nobody knew."""
    unanswered = any(fault.reason in _UNANSWERED for fault in decision.verdict.faults)
    nobody = any(warning.policy.package == SOURCE for warning in decision.verdict.warnings)
    return unanswered or (nobody and decision.outcome is not Outcome.ADMITTED)


def _judged_again(change: TrackedChange, cause: str) -> Dispatch:
    ref = change.ref
    event = ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="relations.moved")
    return judge_dispatch(ref.connection, event, cause=f"relations:{cause}:{ref.connection}:{repository_key(ref.repository)}")
