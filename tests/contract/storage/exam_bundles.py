"""What is promised of generations that people bring into force: revisions, audit events, and the changes to judge again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.record import Generation
from gateway.errors import GenerationMoved
from policies.model import Enforcement, Outcome, PolicyId
from tests.contract.storage.builders import NOON, a_bundle, a_dispatch, a_ref, a_tracked, a_verdict, an_event, minutes, recorded, some_facts


def a_generation(number, *bundles, by="ana", **fields):
    return Generation(number=number, activated_at=NOON + minutes(number), bundles=tuple(bundle.id for bundle in bundles), by=by, **fields)


class BundlesExam:
    async def test_generation_is_read_back_as_it_was_put_in_force(self, storage):
        """With what files brought, and what enforcement somebody chose."""
        acme, zoo = a_bundle("acme"), a_bundle("zoo")
        chosen = ((PolicyId(bundle="zoo", package="merge.x"), Enforcement.DRYRUN),)
        generation = a_generation(1, acme, zoo, by_file=("acme",), enforcement=chosen)
        await storage.put_in_force(generation, keep=[acme, zoo], event=an_event())
        assert await storage.generation() == generation
        assert await storage.bundle_files(zoo.id.digest) == zoo.files
        await storage.put_in_force(a_generation(2), keep=[], event=an_event("bundle.deleted"))
        assert await storage.generation_numbered(1) == generation
        assert (await storage.generation()).bundles == ()
        for never in (0, 3, -1):
            assert await storage.generation_numbered(never) is None

    async def test_what_did_not_follow_changes_nothing(self, storage):
        """Somebody else was quicker: look again."""
        one, two = a_bundle(revision="r1"), a_bundle(revision="r2")
        await storage.put_in_force(a_generation(1, one), keep=[one], event=an_event())
        for number in (1, 3):
            with pytest.raises(GenerationMoved):
                await storage.put_in_force(
                    a_generation(number, two), keep=[two], event=an_event("never"), concerned=lambda change: a_dispatch(id="never")
                )
        assert (await storage.generation()).number == 1
        assert [event.what for event in await storage.audit_events()] == ["bundle.published"]
        assert [revision.bundle for revision in await storage.revisions("acme")] == [one.id]
        assert await storage.bundle_files(two.id.digest) is None

    async def test_of_two_at_once_one_goes_first(self, storage):
        """The other hears of it."""
        bundles = [a_bundle(revision=f"r{number}") for number in range(8)]
        puts = [storage.put_in_force(a_generation(1, bundle), keep=[bundle], event=an_event()) for bundle in bundles]
        ends = await asyncio.gather(*puts, return_exceptions=True)
        assert sum(end is None for end in ends) == 1
        assert all(end is None or isinstance(end, GenerationMoved) for end in ends)

    async def test_revisions_are_listed_once_each_newest_first(self, storage):
        """Going back is not a new revision, and deleting loses none."""
        one, two, other = a_bundle(revision="r1"), a_bundle(revision="r2"), a_bundle("other")
        for number, bundles in enumerate([(one,), (one, other), (two, other), (one, other), (other,)], start=1):
            await storage.put_in_force(a_generation(number, *bundles, by=f"person {number}"), keep=bundles, event=an_event())
        found = await storage.revisions("acme")
        assert [(each.bundle, each.generation, each.by) for each in found] == [(two.id, 3, "person 3"), (one.id, 1, "person 1")]
        assert found[0].at == NOON + minutes(3)
        for nobody in ("ACME", "", "\0", "x" * 300):
            assert await storage.revisions(nobody) == []

    async def test_events_are_listed_newest_first(self, storage):
        """All, or those about one thing; odd names included."""
        for number, about in enumerate(["acme", "zoo", "acme", "\0 ODD é" * 50], start=1):
            await storage.put_in_force(a_generation(number), keep=[], event=an_event(f"what {number}", about))
        events = await storage.audit_events()
        assert [event.what for event in events] == ["what 4", "what 3", "what 2", "what 1"]
        assert events[1] == an_event("what 3", "acme")
        assert [event.what for event in await storage.audit_events(about="acme")] == ["what 3", "what 1"]
        assert [event.what for event in await storage.audit_events(about="\0 ODD é" * 50)] == ["what 4"]
        assert len(await storage.audit_events(limit=2)) == 2

    async def test_open_changes_that_are_concerned_are_set_going(self, storage, outbox):
        """Only open ones are asked about, and only those concerned."""
        for number, state in ((1, "open"), (2, "open"), (3, "closed")):
            await storage.track_change(a_tracked(ref=a_ref(number=number), state=state))
        asked = []

        def concerned(change):
            asked.append(change.ref.number)
            return a_dispatch(id=f"judge-{change.ref.number}") if change.ref.number != 2 else None

        await storage.put_in_force(a_generation(1), keep=[], event=an_event(), concerned=concerned)
        assert sorted(set(asked)) == [1, 2]
        assert [id for id in await outbox() if str(id).startswith("judge-")] == ["judge-1"]

    async def test_what_may_be_merged_now_is_set_going_first(self, storage, outbox):
        """An admitted change that a new rule denies does not wait behind a thousand denied ones."""
        outcomes = [Outcome.DENIED, Outcome.ADMITTED, Outcome.UNDECIDED, Outcome.ADMITTED, Outcome.HELD]
        for number, outcome in enumerate(outcomes, start=1):
            await recorded(storage, facts=some_facts(number=number), change=a_ref(number=number), verdict=a_verdict(outcome))
        await storage.track_change(a_tracked(ref=a_ref(number=6)))

        def concerned(change):
            return a_dispatch(id=f"again-{change.ref.number}")

        await storage.put_in_force(a_generation(1), keep=[], event=an_event(), concerned=concerned)
        going = [id for id in await outbox() if str(id).startswith("again-")]
        assert sorted(going[:2]) == ["again-2", "again-4"]
        assert sorted(going) == [f"again-{number}" for number in range(1, 7)]

    async def test_decision_by_the_generation_before_cannot_slip_past(self, storage, outbox):
        """Either it is recorded first and its change is asked about, or it is refused: never neither."""
        bundle = a_bundle()
        await storage.put_in_force(a_generation(1, bundle), keep=[bundle], event=an_event())
        seen = []

        async def judge(number):
            try:
                await recorded(storage, in_force=1, facts=some_facts(number=number), change=a_ref(number=number))
            except GenerationMoved:
                return "refused"
            return number

        def concerned(change):
            seen.append(change.ref.number)
            return a_dispatch(id=f"again-{change.ref.number}")

        judged = [asyncio.ensure_future(judge(number)) for number in range(1, 21)]
        put = asyncio.ensure_future(storage.put_in_force(a_generation(2), keep=[], event=an_event(), concerned=concerned))
        more = [asyncio.ensure_future(judge(number)) for number in range(21, 41)]
        ends = await asyncio.gather(*judged, *more)
        await put
        assert {end for end in ends if end != "refused"} <= set(seen)

    async def test_bundles_out_of_order_are_refused(self, storage):
        """Two orders would be two generations that judge alike."""
        zoo, acme = a_bundle("zoo"), a_bundle("acme")
        for wrong in ([zoo, acme], [acme, a_bundle("acme", revision="r2")]):
            with pytest.raises(ValueError, match="ordered by name"):
                await storage.put_in_force(a_generation(1, *wrong), keep=wrong, event=an_event())
        assert await storage.generation() is None
