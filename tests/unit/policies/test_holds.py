"""What people's words come to: who counts, who does not, and that nothing which goes wrong releases a hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from policies import (
    AdmissionRequest,
    Approval,
    Approvals,
    Enforcement,
    EngineInfo,
    Hold,
    Judgement,
    Outcome,
    PolicyId,
    PolicyResult,
    Question,
    Reason,
    Verdict,
    Word,
    WorkflowFacts,
)
from policies.errors import RelationsRefused, RelationsUnavailable
from policies.holds import settled
from policies.relations.recorded import RecordedRelations
from tests.builders import NOON

POLICY = PolicyId(bundle="acme", package="deploy.two_person")
ANA, BEN, EVA, ANAS_OTHER = "user:work/1", "user:work/2", "user:work/3", "user:home/9"


def said(user, word=Word.APPROVED, *, at=NOON - timedelta(minutes=5), until=NOON + timedelta(days=7), reason=None):
    return Approval(user=user, name=user, word=word, at=at, until=until, reason=reason)


def a_hold(**fields):
    return Hold(**{"policy": POLICY, "message": "someone else agrees", "relation": "approver", "object": "environment:prod", **fields})


class World:
    """Relationships: who is an approver of prod, who is the same person as whom. Anything else is not related."""

    def __init__(self, approvers=(), same=(), trouble=None):
        self.true = {Question(user=user, relation="approver", object="environment:prod") for user in approvers}
        self.true |= {Question(user=one, relation="same_person", object=other) for one, other in same}
        self.trouble = trouble
        self.asked = []

    async def answers(self, questions, *, at, given):
        self.asked += questions
        if self.trouble is not None:
            raise self.trouble
        return {question: question in self.true for question in questions}

    async def close(self):
        pass


def settle(words, world, *holds, same_person=None, violations=()):
    """The judgement on ana's workflow after these words."""
    facts = {"name": "deploy", "target": "prod", "input": {}, "labels": {}, "source": None}
    approvals = Approvals(given=tuple(words), same_person=same_person) if words else None
    request = AdmissionRequest(subject={"ref": ANA}, thing=WorkflowFacts(document=facts), time=NOON, approvals=approvals)
    result = PolicyResult(policy=POLICY, enforcement=Enforcement.DENY, outcome=Outcome.HELD)
    verdict = Verdict(holds=holds or (a_hold(),), policies=(result,), violations=violations)
    judgement = Judgement(facts=b"", verdict=verdict, bundles=(), engine=EngineInfo(name="opa", version="1"))
    return asyncio.run(settled(judgement, request, world))


def test_nobody_has_spoken_and_nothing_is_asked():
    """The verdict is what the policies said."""
    world = World(approvers=[BEN])
    assert settle([], world).verdict.outcome is Outcome.HELD
    assert world.asked == []


def test_somebody_with_the_relation_releases_the_hold():
    """The policy has passed, the record says who it was, and the verdict ends with the approval."""
    judgement = settle([said(BEN)], World(approvers=[BEN]))
    assert judgement.verdict.outcome is Outcome.ADMITTED
    assert judgement.verdict.policies[0].outcome is Outcome.ADMITTED
    assert [release.by for release in judgement.verdict.released] == [(BEN,)]
    assert judgement.verdict.valid_until == NOON + timedelta(days=7)
    assert judgement.relations == {Question(user=BEN, relation="approver", object="environment:prod"): True}


def test_two_who_count_release_a_hold_for_two():
    """Each is one."""
    assert settle([said(BEN), said(EVA)], World(approvers=[BEN, EVA]), a_hold(count=2)).verdict.outcome is Outcome.ADMITTED


WAITING = {
    "without the relation": ([said(EVA)], {"approvers": [BEN]}, {}),
    "the submitter": ([said(ANA)], {"approvers": [ANA]}, {}),
    "the submitter under another account": ([said(ANAS_OTHER)], {"approvers": [ANAS_OTHER], "same": [(ANAS_OTHER, ANA)]}, {}),
    "the submitter under another account, told the other way round": (
        [said(ANAS_OTHER)],
        {"approvers": [ANAS_OTHER], "same": [(ANA, ANAS_OTHER)]},
        {},
    ),
    "one person twice": ([said(BEN), said(BEN)], {"approvers": [BEN]}, {"count": 2}),
    "one person under two accounts": ([said(BEN), said(EVA)], {"approvers": [BEN, EVA], "same": [(BEN, EVA)]}, {"count": 2}),
    "an approval that has run out": ([said(BEN, until=NOON)], {"approvers": [BEN]}, {}),
    "an approval from the future": ([said(BEN, at=NOON + timedelta(seconds=1))], {"approvers": [BEN]}, {}),
    "an approval after the hold ended": ([said(BEN)], {"approvers": [BEN]}, {"expires_at": NOON - timedelta(minutes=6)}),
    "a refusal without the relation": ([said(EVA, Word.REFUSED)], {"approvers": [BEN]}, {}),
}


@pytest.mark.parametrize(("words", "world", "hold"), WAITING.values(), ids=WAITING.keys())
def test_what_does_not_count_leaves_it_held(words, world, hold):
    """It waits on."""
    judgement = settle(words, World(**world), a_hold(**hold), same_person="same_person")
    assert judgement.verdict.outcome is Outcome.HELD
    assert judgement.verdict.released == ()


def test_a_refusal_by_somebody_with_the_relation_denies():
    """Also beside an approval, and it says who and why."""
    verdict = settle([said(BEN), said(EVA, Word.REFUSED, reason="not on a Friday")], World(approvers=[BEN, EVA])).verdict
    assert verdict.outcome is Outcome.DENIED
    assert verdict.reason == f"{EVA} refused (someone else agrees): not on a Friday"
    assert verdict.policies[0].outcome is Outcome.DENIED


def test_the_last_word_of_an_account_counts():
    """An approval takes a refusal back, and the other way round."""
    world = World(approvers=[BEN])
    assert settle([said(BEN, Word.REFUSED), said(BEN)], world).verdict.outcome is Outcome.ADMITTED
    assert settle([said(BEN), said(BEN, Word.REFUSED)], world).verdict.outcome is Outcome.DENIED


def test_every_hold_needs_its_own_people():
    """One of two released is not both."""
    other = a_hold(object="environment:elsewhere", message="elsewhere agrees")
    verdict = settle([said(BEN)], World(approvers=[BEN]), a_hold(), other).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.HELD, "elsewhere agrees")
    assert verdict.policies[0].outcome is Outcome.HELD


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (RelationsUnavailable("away"), Reason.RELATIONS_UNAVAILABLE),
        (RelationsRefused("no such relation"), Reason.RELATIONS_REFUSED),
    ],
)
def test_not_knowing_who_they_are_is_undecided(trouble, reason):
    """A fault outranks the hold, and never releases it."""
    verdict = settle([said(BEN)], World(approvers=[BEN], trouble=trouble)).verdict
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.faults[0].reason is reason


def test_more_people_than_can_be_asked_about_is_undecided():
    """The limit on questions holds here too."""
    verdict = settle([said(f"user:work/{n}") for n in range(100)], World(), same_person="same_person").verdict
    assert verdict.faults[0].reason is Reason.TOO_MANY_QUESTIONS


def test_settling_again_from_the_recorded_answers_comes_to_the_same():
    """Replay asks nobody."""
    words, world = [said(BEN), said(EVA)], World(approvers=[BEN, EVA])
    first = settle(words, world, a_hold(count=2), same_person="same_person")
    again = settle(words, RecordedRelations(dict(first.relations)), a_hold(count=2), same_person="same_person")
    assert replace(again, relations={}) == replace(first, relations={})
