"""Give one's word: approve or refuse what waits for people, a submission or a change.

Said at once where it cannot count, so that nobody waits on an approval that never will; but what counts in the end is
asked again when the request is judged, of everybody who spoke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch
from gateway.domain.landing import change_about
from gateway.domain.people import Speaker
from gateway.domain.record import Decision, TrackedChange
from gateway.domain.submission import Submission, SubmissionId, SubmissionState, forward_dispatch
from gateway.errors import NotAllowed, OutOfPlace, UnknownThing
from gateway.operations.receive import judge_dispatch
from gateway.operations.recorded_owners import recorded_owners
from gateway.operations.seal_record import seal_dispatch
from gateway.operations.start_submission import known
from gateway.storage import Storage
from gateway.storage.submissions import Submissions
from policies import Approval, Hold, Question, Word
from policies.relations import Relations
from providers.vcs import ChangeEvent, ChangeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveWord:
    """valid_for: how long an approval counts. same_person: as in `JudgeSubmission`."""

    relations: Relations
    storage: Storage
    submissions: Submissions
    clock: Clock
    valid_for: timedelta
    same_person: str | None = None

    async def on_submission(self, id: SubmissionId, word: Word, by: Speaker, reason: str | None = None) -> Submission:
        """Raises UnknownThing, OutOfPlace (it waits for nobody, or no more), NotAllowed, RelationsError, DatabaseUnavailable."""
        submission = await known(self.submissions, id)
        if submission.state is not SubmissionState.HELD or submission.cancellation is not None:
            raise OutOfPlace(f"submission {id} waits for nobody: it is {submission.state.value}")
        if submission.held_until is not None and self.clock() >= submission.held_until:
            raise OutOfPlace(f"submission {id} waited for people until {submission.held_until:%Y-%m-%d %H:%M:%S} UTC: it has expired")
        decision = await self.storage.decision(submission.decisions[-1])
        assert decision is not None, "a submission is kept with its decisions"
        await self._must_count(decision, submission.subject_ref, by)
        dispatch = forward_dispatch(submission, f"{word.value}:{uuid4()}")
        await self._keep(submission.about, word, by, reason, [dispatch], decision)
        return submission

    async def on_change(self, connection: str, key: ChangeKey, word: Word, by: Speaker, reason: str | None = None) -> TrackedChange:
        """An approval is good for the head and target branch it was given on. Who refused may take that back. Raises as above."""
        change = await self.storage.change(connection, key.repository, key.number)
        if change is None:
            raise UnknownThing(f"nothing is known of change {key.number} of {key.repository} on connection '{connection}'")
        decision = await self.storage.decision(change.decision_id) if change.decision_id else None
        takes_back = word is Word.APPROVED and await self._refused(change_about(change.ref), by)
        if change.state != "open" or decision is None or not (decision.verdict.holds or takes_back):
            stands = change.state if change.state != "open" else change.outcome.value if change.outcome else "not judged yet"
            raise OutOfPlace(f"{key.repository}#{key.number} waits for nobody: it is {stands}")
        ends = [hold.expires_at for hold in decision.verdict.holds]
        if ends and all(end is not None and self.clock() >= end for end in ends):
            raise OutOfPlace(f"{key.repository}#{key.number} waits no longer: what it waited for has expired")
        if decision.verdict.holds:
            await self._must_count(decision, decision.subject, by)
        dispatch = judge_dispatch(connection, ChangeEvent(key=key, what=f"gateway.{word.value}"), cause=f"{word.value}:{uuid4()}")
        await self._keep(change_about(change.ref), word, by, reason, [dispatch], decision)
        return change

    async def _refused(self, about: str, by: Speaker) -> bool:
        """Whether their last word was a refusal."""
        last = next((said for said in reversed(await self.storage.approvals(about)) if said.user == by.ref), None)
        return last is not None and last.word is Word.REFUSED

    async def _must_count(self, decision: Decision, subject: str, by: Speaker) -> None:
        """Raises NotAllowed where this person's word could not count."""
        if by.ref == subject:
            raise NotAllowed("your own approval does not count", advice="ask somebody else")
        asked = [_question(by, hold) for hold in decision.verdict.holds]
        same = [] if self.same_person is None else [_same(self.same_person, by.ref, subject), _same(self.same_person, subject, by.ref)]
        given = await recorded_owners(self.storage, decision, [question.object for question in asked])
        answers = await self.relations.answers(list(dict.fromkeys([*asked, *same])), at=self.clock(), given=given)
        if any(answers[question] for question in same):
            raise NotAllowed(f"{by.ref} is another account of {subject}: your own approval does not count", advice="ask somebody else")
        if not any(answers[question] for question in asked):
            wanted = " or ".join(f"{hold.relation} of {hold.object}" for hold in decision.verdict.holds)
            raise NotAllowed(f"{by.ref} is not {wanted}", advice="ask somebody who is")

    async def _keep(
        self, about: str, word: Word, by: Speaker, reason: str | None, dispatches: Sequence[Dispatch], decision: Decision
    ) -> None:
        before = next((said for said in reversed(await self.storage.approvals(about)) if said.user == by.ref), None)
        now = self.clock()
        if before is not None and before.word is word and before.at <= now < before.until:
            return  # said already
        said = Approval(user=by.ref, name=by.name, word=word, at=now, until=now + self.valid_for, reason=reason)
        event = AuditEvent(
            at=now, who=by.ref, what=f"request.{word.value}", about=about, details={"decision": decision.id, "reason": reason}
        )
        await self.storage.record_approval(about, said, [*dispatches, seal_dispatch(now)], event=event)


def _question(by: Speaker, hold: Hold) -> Question:
    return Question(user=by.ref, relation=hold.relation, object=hold.object)


def _same(relation: str, one: str, other: str) -> Question:
    return Question(user=one, relation=relation, object=other)
