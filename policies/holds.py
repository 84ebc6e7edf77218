"""Holds and the people who release them: what to ask about those who spoke, and what the answers come to.

A verdict that waits for people is settled with what people said: each word counts for who has the hold's relation at
the time of this judgement, so that somebody who lost it meanwhile does not. Whoever asks cannot approve, under none of
their accounts; two accounts of one human are one; a refusal denies. Whatever cannot be asked is a fault, which is worse
than a hold: nothing here can make an admission of something that went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations

from policies.code_owners import given_by
from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import (
    AdmissionRequest,
    Approval,
    Approvals,
    Fault,
    Hold,
    Judgement,
    Outcome,
    PolicyResult,
    Question,
    Reason,
    Release,
    Verdict,
    Violation,
    Word,
)
from policies.relations.port import Relations
from policies.relations.recorded import KnownFirst
from policies.values import replace
from policies.verdict import QUESTIONS_LIMIT


async def settled(judgement: Judgement, request: AdmissionRequest, relations: Relations) -> Judgement:
    """The judgement with its holds released or refused by those who spoke, and the answers that rests on."""
    if request.approvals is None or not judgement.verdict.holds:
        return judgement
    questions = people_questions(judgement.verdict, request)
    verdict = judgement.verdict
    if len(questions) > QUESTIONS_LIMIT:
        message = f"{len(questions)} relationships of those who approved would have to be asked, at most {QUESTIONS_LIMIT} may be"
        return replace(judgement, verdict=_at_fault(verdict, Reason.TOO_MANY_QUESTIONS, message))
    try:
        known = KnownFirst(judgement.relations, relations)
        answers = await known.answers(questions, at=request.time, given=given_by(request)) if questions else {}
    except RelationsUnavailable as problem:
        message = f"whether those who approved may could not be asked: {problem}"
        return replace(judgement, verdict=_at_fault(verdict, Reason.RELATIONS_UNAVAILABLE, message))
    except RelationsRefused as problem:
        message = f"whether those who approved may cannot be asked: {problem}"
        return replace(judgement, verdict=_at_fault(verdict, Reason.RELATIONS_REFUSED, message))
    if any(question not in answers for question in questions):
        message = "whether those who approved may was not answered"
        return replace(judgement, verdict=_at_fault(verdict, Reason.RELATIONS_UNAVAILABLE, message))
    return replace(judgement, verdict=released(verdict, request, answers), relations={**judgement.relations, **answers})


def people_questions(verdict: Verdict, request: AdmissionRequest) -> tuple[Question, ...]:
    """What has to be known of those who spoke: whether they may, and which of them are one human."""
    words = standing(request.approvals, request.time)
    found = {Question(user=word.user, relation=hold.relation, object=hold.object) for hold in verdict.holds for word in words}
    same = request.approvals.same_person if request.approvals else None
    if same is not None:
        accounts = [str(request.subject["ref"]), *(word.user for word in words)]
        pairs = list(combinations(dict.fromkeys(accounts), 2))
        found |= {Question(user=user, relation=same, object=other) for pair in pairs for user, other in (pair, pair[::-1])}
    return tuple(sorted(found))


def standing(approvals: Approvals | None, at: datetime) -> tuple[Approval, ...]:
    """The last word of each account, where it still is good."""
    last: dict[str, Approval] = {}
    for word in approvals.given if approvals else ():
        last.pop(word.user, None)
        last[word.user] = word
    return tuple(word for word in last.values() if word.at <= at < word.until)


def released(verdict: Verdict, request: AdmissionRequest, answers: Mapping[Question, bool]) -> Verdict:
    """The verdict with each hold that enough people released gone, and each that one of them refused a violation."""
    people = _People(request, answers)
    words = [word for word in standing(request.approvals, request.time) if not people.is_subject(word.user)]
    waiting: list[Hold] = []
    releases: list[Release] = []
    refusals: list[Violation] = []
    counted: list[Approval] = []
    for hold in verdict.holds:
        may = [word for word in words if people.related(word.user, hold) and not _too_late(word, hold)]
        refusal = next((word for word in may if word.word is Word.REFUSED), None)
        approving = people.distinct([word for word in may if word.word is Word.APPROVED])
        if refusal is not None:
            refusals.append(_refused(hold, refusal))
        elif len(approving) >= hold.count:
            counted += approving
            releases.append(_release(hold, approving))
        else:
            waiting.append(hold)
    return replace(
        verdict,
        violations=(*verdict.violations, *refusals),
        holds=tuple(waiting),
        released=tuple(releases),
        policies=tuple(_result(result, waiting, refusals) for result in verdict.policies),
        valid_until=min([end for end in (verdict.valid_until, *(word.until for word in counted)) if end is not None], default=None),
    )


class _People:
    """Which accounts are one human, and what they may."""

    def __init__(self, request: AdmissionRequest, answers: Mapping[Question, bool]) -> None:
        self._subject = str(request.subject["ref"])
        self._same = request.approvals.same_person if request.approvals else None
        self._answers = answers

    def is_subject(self, account: str) -> bool:
        return self._one_human(account, self._subject)

    def related(self, account: str, hold: Hold) -> bool:
        return self._answers[Question(user=account, relation=hold.relation, object=hold.object)]

    def distinct(self, words: Sequence[Approval]) -> list[Approval]:
        """One for each human, the first to speak."""
        found: list[Approval] = []
        for word in words:
            if not any(self._one_human(word.user, other.user) for other in found):
                found.append(word)
        return found

    def _one_human(self, one: str, other: str) -> bool:
        if one == other:
            return True
        if self._same is None:
            return False
        return any(self._answers[Question(user=user, relation=self._same, object=it)] for user, it in ((one, other), (other, one)))


def _too_late(word: Approval, hold: Hold) -> bool:
    return hold.expires_at is not None and word.at >= hold.expires_at


def _refused(hold: Hold, word: Approval) -> Violation:
    why = f": {word.reason}" if word.reason else ""
    return Violation(policy=hold.policy, message=f"{word.name} refused ({hold.message}){why}", remedy="talk to them, then ask again")


def _release(hold: Hold, words: Sequence[Approval]) -> Release:
    by = tuple(word.user for word in words)
    return Release(policy=hold.policy, message=hold.message, relation=hold.relation, object=hold.object, by=by)


def _result(result: PolicyResult, waiting: Sequence[Hold], refusals: Sequence[Violation]) -> PolicyResult:
    if result.outcome is not Outcome.HELD:
        return result
    if any(refusal.policy == result.policy for refusal in refusals):
        return replace(result, outcome=Outcome.DENIED)
    held = any(hold.policy == result.policy for hold in waiting)
    return result if held else replace(result, outcome=Outcome.ADMITTED)


def _at_fault(verdict: Verdict, reason: Reason, message: str) -> Verdict:
    return replace(verdict, faults=(*verdict.faults, Fault(reason=reason, message=message)))
