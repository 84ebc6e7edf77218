"""What is promised of decisions, their facts and what they say of a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.record import FactsOrigin
from gateway.errors import GenerationMoved, StorageError
from gateway.storage import DecisionFilter
from policies.canonical import digest
from policies.model import Action, EngineInfo, Outcome, Question
from tests.contract.storage.builders import (
    NOON,
    a_bundle,
    a_decision,
    a_dispatch,
    a_ref,
    a_tracked,
    a_verdict,
    minutes,
    recorded,
    some_facts,
)


class DecisionsExam:
    @pytest.mark.parametrize("outcome", list(Outcome))
    async def test_decision_is_read_back_whole(self, storage, outcome):
        """Every finding, place, time and relation answer of every outcome."""
        decision = await recorded(storage, verdict=a_verdict(outcome))
        assert await storage.decision(decision.id) == decision

    async def test_decision_on_a_workflow_needs_no_change(self, storage):
        """A submission is judged too."""
        decision = await recorded(storage, action=Action.SUBMIT, change=None, workflow="deploy")
        assert await storage.decision(decision.id) == decision

    async def test_unknown_decision_is_none(self, storage):
        """Also under ids that no database could hold."""
        for id in ("never", "", "a\0b", "x" * 5000, "\ud800"):
            assert await storage.decision(id) is None

    async def test_facts_are_kept_under_their_digest(self, storage):
        """What was judged can be had again, byte by byte."""
        facts = some_facts(title="ü")
        decision = await recorded(storage, facts=facts)
        assert await storage.blob(decision.input_digest) == facts

    async def test_unknown_blob_is_none(self, storage):
        """Also under what is no digest."""
        assert await storage.blob(digest("facts", b"never")) is None
        assert await storage.blob("sha256:\0") is None

    async def test_decision_that_names_other_facts_is_refused(self, storage):
        """A record that cannot be replayed is not written."""
        decision = a_decision(some_facts())
        with pytest.raises(ValueError, match="names other facts"):
            await storage.record_decision(decision, facts=b"{}", change=a_tracked(decision), generation=None)
        assert await storage.decision(decision.id) is None

    async def test_same_judgement_later_confirms_the_decision(self, storage):
        """The facts' own time does not count as a difference; the first decision stands, with when it was confirmed."""
        first = await recorded(storage)
        later = NOON + minutes(5)
        second = await recorded(storage, facts=some_facts(later), at=later, microseconds=3_500_000)
        assert second == replace(first, confirmed_at=later)
        assert await storage.decision(first.id) == replace(first, confirmed_at=later)
        assert (await storage.change("work", "acme/Shop", 7)).decision_id == first.id
        assert (await storage.change("work", "acme/Shop", 7)).updated_at == later

    @pytest.mark.parametrize(
        "difference",
        [
            {"verdict": a_verdict(Outcome.ADMITTED)},
            {"generation": 2},
            {"relations": ((Question(user="user:work/7", relation="owner", object="repository:work/12"), True),)},
            {"engine": EngineInfo(name="opa", version="1.21.0")},
            {"policies_commit": "c" * 40},
            {"facts": some_facts(title="other")},
            {"bundles": ()},
        ],
        ids=lambda difference: next(iter(difference)),
    )
    async def test_a_difference_is_a_new_decision(self, storage, difference):
        """Whatever the answer was based on, or was, makes it another."""
        first = await recorded(storage)
        second = await recorded(storage, at=NOON + minutes(1), **difference)
        assert second.id != first.id
        assert (await storage.decision(first.id)).confirmed_at is None
        assert (await storage.change("work", "acme/Shop", 7)).decision_id == second.id

    async def test_only_the_last_decision_is_confirmed(self, storage):
        """Denied, admitted, denied again is three decisions, not two."""
        ids = [
            (await recorded(storage, verdict=a_verdict(outcome), at=NOON + minutes(count))).id
            for count, outcome in enumerate([Outcome.DENIED, Outcome.ADMITTED, Outcome.DENIED])
        ]
        assert len(set(ids)) == 3

    async def test_another_change_is_another_decision(self, storage):
        """The same words about another change confirm nothing."""
        first = await recorded(storage)
        second = await recorded(storage, change=a_ref(number=8))
        assert second.id != first.id

    async def test_provided_facts_do_not_interrupt_gathered_ones(self, storage):
        """A dry run of the same change between two judgements is a record of its own."""
        first = await recorded(storage)
        facts = some_facts()
        provided = replace(a_decision(facts), facts=FactsOrigin.PROVIDED)
        dry = await storage.record_decision(provided, facts=facts, change=None, generation=None)
        again = await recorded(storage, at=NOON + minutes(2))
        assert dry.id != first.id
        assert again.id == first.id

    async def test_same_decision_twice_is_one(self, storage):
        """An activity that is repeated because nobody heard its first answer changes nothing."""
        decision = a_decision(change=None, workflow="deploy")
        facts = some_facts()
        first = await storage.record_decision(decision, facts=facts, change=None, generation=None)
        assert await storage.record_decision(decision, facts=facts, change=None, generation=None) == first
        assert len((await storage.decisions(DecisionFilter())).decisions) == 1

    async def test_one_id_cannot_say_two_things(self, storage):
        """The record is written once."""
        decision = await recorded(storage, change=None, workflow="deploy")
        with pytest.raises(StorageError):
            await recorded(storage, id=decision.id, change=None, workflow="other")

    async def test_decisions_recorded_at_once_are_each_whole(self, storage, outbox):
        """New ones, one that confirms, one without a change: each with its facts, and with what it sets going."""
        first = await recorded(storage)
        later = [
            {"at": NOON + minutes(1), "facts": some_facts(NOON + minutes(1))},
            *({"change": a_ref(number=number), "facts": some_facts(title=f"change {number}")} for number in range(20, 25)),
            {"change": None, "workflow": "deploy"},
        ]
        answers = await asyncio.gather(
            *(recorded(storage, dispatches=[a_dispatch(id=f"report-{place}")], **each) for place, each in enumerate(later))
        )
        assert answers[0] == replace(first, confirmed_at=NOON + minutes(1))
        for answer in answers:
            assert await storage.decision(answer.id) == answer
            assert await storage.blob(answer.input_digest) is not None
        assert len((await storage.decisions(DecisionFilter())).decisions) == len(later)
        assert sorted(await outbox()) == [f"report-{place}" for place in range(len(later))]

    async def test_same_judgement_twice_at_once_is_one(self, storage):
        """The second confirms the first, also where both are written together."""
        first, second = await asyncio.gather(recorded(storage), recorded(storage, at=NOON + minutes(1)))
        assert second == replace(first, confirmed_at=NOON + minutes(1))

    async def test_a_decision_that_cannot_be_recorded_takes_none_along(self, storage):
        """One of several at once says two things under one id, or was judged by what is not in force."""
        await storage.activate([a_bundle()], at=NOON, by="ana")
        known = await recorded(storage, change=None, workflow="deploy")
        answers = await asyncio.gather(
            recorded(storage, change=a_ref(number=20)),
            recorded(storage, id=known.id, change=None, workflow="other"),
            recorded(storage, change=a_ref(number=21), in_force=2),
            recorded(storage, change=a_ref(number=22), in_force=1),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Decision", "StorageError", "GenerationMoved", "Decision"]
        assert len((await storage.decisions(DecisionFilter())).decisions) == 3

    async def test_decision_of_a_generation_that_has_gone_changes_nothing(self, storage, outbox):
        """Judged by rules no longer in force: not recorded, nothing said of the change, nothing set going."""
        await storage.activate([a_bundle()], at=NOON, by="ana")
        await storage.activate([a_bundle(revision="r2")], at=NOON, by="ana")
        decision = a_decision()
        with pytest.raises(GenerationMoved):
            await storage.record_decision(
                decision, facts=some_facts(), change=a_tracked(decision), generation=1, dispatches=[a_dispatch(id="report")]
            )
        assert await storage.decision(decision.id) is None
        assert await storage.change("work", "acme/Shop", 7) is None
        assert await storage.blob(decision.input_digest) is None
        assert await outbox() == []

    async def test_decision_of_the_generation_in_force_is_recorded(self, storage):
        """The ordinary case."""
        await storage.activate([a_bundle()], at=NOON, by="ana")
        decision = await recorded(storage, in_force=1)
        assert await storage.decision(decision.id) == decision

    async def test_dispatches_go_with_new_and_confirmed_decisions(self, storage, outbox):
        """A report is set going either way: the status may have been lost."""
        for count in range(2):
            decision = a_decision(at=NOON + minutes(count))
            await storage.record_decision(
                decision,
                facts=some_facts(),
                change=a_tracked(decision),
                generation=None,
                dispatches=[a_dispatch(id=f"report-{count}")],
            )
        assert await outbox() == ["report-0", "report-1"]
