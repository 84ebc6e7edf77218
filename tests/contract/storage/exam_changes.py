"""What is promised of tracked changes and of reports."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.record import Override
from gateway.errors import ChangeMoved
from gateway.storage import Seen
from policies.model import Outcome
from tests.contract.storage.builders import (
    NOON,
    a_dispatch,
    a_ref,
    a_report,
    a_tracked,
    a_verdict,
    an_event,
    minutes,
    recorded,
    some_facts,
)


class ChangesExam:
    async def test_change_is_known_by_its_repository_without_case(self, storage):
        """Forges ignore case, and so must whoever asks."""
        decision = await recorded(storage)
        assert await storage.change("work", "ACME/shop", 7) == a_tracked(decision)

    async def test_unknown_change_is_none(self, storage):
        """Another connection, repository or number, also of names no database could hold."""
        await recorded(storage)
        for connection, repository, number in [
            ("home", "acme/Shop", 7),
            ("work", "acme/Shop2", 7),
            ("work", "acme/Shop", 8),
            ("work", "a\0/b", 7),
            ("\ud800", "acme/Shop", 7),
            ("work", "acme/Shop", 2**80),
        ]:
            assert await storage.change(connection, repository, number) is None

    async def test_outcome_of_a_change_is_its_decisions(self, storage):
        """What the caller says of it cannot contradict the record."""
        decision = await recorded(storage, verdict=a_verdict(Outcome.UNDECIDED))
        again = await storage.record_decision(
            decision,
            facts=await storage.blob(decision.input_digest),
            change=replace(a_tracked(decision), outcome=Outcome.ADMITTED),
            generation=None,
        )
        assert again.id == decision.id
        assert (await storage.change("work", "acme/Shop", 7)).outcome is Outcome.UNDECIDED

    async def test_what_others_wrote_since_it_was_looked_at_is_not_overwritten(self, storage, outbox):
        """A judgement from older facts than the one on record changes nothing; an override is nobody's judgement."""
        before = Seen(None)
        first = await recorded(storage, seen=before, verdict=a_verdict(Outcome.ADMITTED))
        for stale in (before, Seen(a_tracked(first, updated_at=NOON - minutes(1)))):
            with pytest.raises(ChangeMoved):
                await recorded(storage, id="stale", seen=stale, facts=some_facts(number=8), dispatches=[a_dispatch(id="never")])
        assert await storage.decision("stale") is None
        assert await outbox() == []
        known = await storage.change("work", "acme/Shop", 7)
        assert known.decision_id == first.id
        until = Override(by="ana", reason="the shop is down", until=NOON + minutes(60))
        await storage.set_override(known, until, event=an_event(), dispatches=[])
        second = await recorded(storage, id="second", seen=Seen(known), facts=some_facts(number=9))
        now = await storage.change("work", "acme/Shop", 7)
        assert (now.decision_id, now.override) == (second.id, until)

    async def test_of_those_who_judge_at_once_one_is_recorded(self, storage):
        """Also when nothing was known before; the others hear of it."""
        for seen in (Seen(None), None):
            if seen is None:
                seen = Seen(await storage.change("work", "acme/Shop", 7))
            judged = [
                recorded(storage, id=f"{n}{seen.change is None}", seen=seen, facts=some_facts(number=n + 10 * (seen.change is None)))
                for n in range(8)
            ]
            ends = await asyncio.gather(*judged, return_exceptions=True)
            assert sum(not isinstance(end, BaseException) for end in ends) == 1
            assert sum(isinstance(end, ChangeMoved) for end in ends) == 7

    async def test_open_changes_are_listed_by_last_update(self, storage):
        """Newest first, closed ones on request, no more than asked for."""
        for number in (1, 2, 3):
            await recorded(storage, change=a_ref(number=number), at=NOON + minutes(number % 3))
        await storage.track_change(a_tracked(ref=a_ref(number=1), state="closed", updated_at=NOON + minutes(9)))
        assert [change.ref.number for change in await storage.changes()] == [2, 3]
        assert [change.ref.number for change in await storage.changes(limit=1)] == [2]
        assert [change.ref.number for change in await storage.changes(state="closed")] == [1]
        assert [change.ref.number for change in await storage.changes(state=None)] == [1, 2, 3]

    async def test_ended_change_keeps_its_decision(self, storage):
        """Closing or merging says nothing about the verdict."""
        decision = await recorded(storage, verdict=a_verdict(Outcome.ADMITTED))
        await storage.track_change(a_tracked(state="merged", updated_at=NOON + minutes(1)))
        known = await storage.change("work", "acme/Shop", 7)
        assert (known.state, known.decision_id, known.outcome) == ("merged", decision.id, Outcome.ADMITTED)

    async def test_no_decision_is_carried_to_another_head_or_target(self, storage):
        """What was admitted is one commit on one branch: a pushed or retargeted change has no verdict until it is judged."""
        for ref in (a_ref(head_sha="b" * 40), a_ref(target_branch="release")):
            await recorded(storage, verdict=a_verdict(Outcome.ADMITTED))
            await storage.track_change(a_tracked(ref=ref))
            known = await storage.change("work", "acme/Shop", 7)
            assert (known.ref, known.decision_id, known.outcome) == (ref, None, None)

    async def test_change_nobody_judged_is_tracked_without_a_decision(self, storage):
        """Whatever the caller claims."""
        await storage.track_change(replace(a_tracked(), outcome=Outcome.ADMITTED))
        assert (await storage.change("work", "acme/Shop", 7)).outcome is None

    async def test_tracking_sets_dispatches_going(self, storage, outbox):
        """In the same transaction."""
        await storage.track_change(a_tracked(), [a_dispatch(id="report")])
        assert await outbox() == ["report"]

    async def test_tracking_puts_an_event_on_record(self, storage):
        """What a change's end means for the record is written with it."""
        event = AuditEvent(at=a_tracked().updated_at, who="user:work/9", what="change.bypassed", about="work:acme/shop#7", details={"x": 1})
        await storage.track_change(a_tracked(state="merged"), event=event)
        assert await storage.audit_events(about="work:acme/shop#7") == [event]
        assert await storage.audit_events(about="work:acme/shop#8") == []

    async def test_changes_with_a_head_are_found_open_or_not(self, storage):
        """By the repository's immutable id, through renames; not those whose head has moved on."""
        await recorded(storage, change=a_ref(number=3))
        await recorded(storage, change=a_ref(number=1))
        await recorded(storage, change=a_ref(number=2, head_sha="b" * 40))
        await recorded(storage, change=a_ref(number=4, repository_id="13"))
        await recorded(storage, change=a_ref(number=5, connection="home"))
        await storage.track_change(a_tracked(ref=a_ref(number=3), state="closed"))
        assert [c.ref.number for c in await storage.changes_with_head("work", "12", "a" * 40)] == [1, 3]
        await storage.track_change(a_tracked(ref=a_ref(number=1, head_sha="c" * 40)))
        assert [c.ref.number for c in await storage.changes_with_head("work", "12", "a" * 40)] == [3]

    async def test_report_is_remembered_and_replaced(self, storage):
        """The last one of its place counts; contexts differ by case, since forges' do."""
        first = a_report()
        await storage.record_report(first)
        await storage.record_report(a_report(context="admit/Main", state="pending"))
        assert await storage.posted("work", "12", "a" * 40, "admit/main") == first
        second = a_report(state="success", posted_at=NOON + minutes(1))
        await storage.record_report(second)
        assert await storage.posted("work", "12", "a" * 40, "admit/main") == second
        assert await storage.posted("work", "12", "b" * 40, "admit/main") is None

    async def test_override_stands_beside_what_is_known_of_a_change(self, storage, outbox):
        """Through new decisions and through tracking, for as long as head and target branch stay; with its audit event."""
        await recorded(storage, verdict=a_verdict(Outcome.DENIED))
        known = await storage.change("work", "acme/Shop", 7)
        override = Override(by="ana", reason="fire", until=NOON + minutes(5))
        event = an_event("change.overridden")
        overridden = await storage.set_override(known, override, event=event, dispatches=[a_dispatch(id="end")])
        assert overridden == replace(known, override=override) == await storage.change("work", "acme/Shop", 7)
        assert await storage.audit_events() == [event]
        assert "end" in await outbox()
        await recorded(storage, verdict=a_verdict(Outcome.HELD), at=NOON + minutes(1))
        assert (await storage.change("work", "acme/Shop", 7)).override == override
        await storage.track_change(a_tracked(updated_at=NOON + minutes(2)))
        assert (await storage.change("work", "acme/Shop", 7)).override == override
        for ref in (a_ref(head_sha="b" * 40), a_ref(target_branch="release")):
            await recorded(storage, change=ref, at=NOON + minutes(3))
            assert (await storage.change("work", "acme/Shop", 7)).override is None

    async def test_override_of_what_has_moved_changes_nothing(self, storage, outbox):
        """Whoever overrides has looked at one decision on one head of an open change."""
        await recorded(storage, verdict=a_verdict(Outcome.DENIED))
        known = await storage.change("work", "acme/Shop", 7)
        override = Override(by="ana", reason="fire", until=NOON)
        for stale in (
            replace(known, ref=a_ref(head_sha="b" * 40)),
            replace(known, decision_id="other"),
            replace(known, state="merged"),
            replace(known, ref=a_ref(number=8)),
        ):
            assert await storage.set_override(stale, override, event=an_event(), dispatches=[a_dispatch(id="end")]) is None
        assert await storage.change("work", "acme/Shop", 7) == known
        assert await storage.audit_events() == []
        assert "end" not in await outbox()

    async def test_override_is_taken_away(self, storage):
        """With an event of its own."""
        await recorded(storage)
        known = await storage.change("work", "acme/Shop", 7)
        override = Override(by="ana", reason="fire", until=NOON)
        given = await storage.set_override(known, override, event=an_event("one"), dispatches=[])
        assert await storage.set_override(given, None, event=an_event("two"), dispatches=[]) == known
        assert [event.what for event in await storage.audit_events()] == ["two", "one"]

    async def test_override_is_taken_away_though_it_was_judged_again(self, storage):
        """Whoever ends one has looked at the override, not at the decision; only another override is not theirs to end."""
        await recorded(storage)
        known = await storage.change("work", "acme/Shop", 7)
        override = Override(by="ana", reason="fire", until=NOON)
        given = await storage.set_override(known, override, event=an_event("one"), dispatches=[])
        await recorded(storage, verdict=a_verdict(Outcome.HELD), at=NOON + minutes(1))
        other = replace(given, override=replace(override, reason="flood"))
        assert await storage.set_override(other, None, event=an_event("two"), dispatches=[]) is None
        ended = await storage.set_override(given, None, event=an_event("three"), dispatches=[])
        assert (ended.override, ended.outcome) == (None, Outcome.HELD)
        assert [event.what for event in await storage.audit_events()] == ["three", "one"]
