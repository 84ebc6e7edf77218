"""What is promised of tracked changes and of reports."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.audit import AuditEvent
from policies.model import Outcome
from tests.contract.storage.builders import NOON, a_dispatch, a_ref, a_report, a_tracked, a_verdict, minutes, recorded


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
