"""What is promised of bytes that are dropped while their digests stay."""

from __future__ import annotations

from random import Random

import pytest

from gateway.errors import Erased
from policies.canonical import digest
from policies.model import Outcome
from tests.contract.storage.builders import NOON, a_delivery, a_ref, a_tracked, a_verdict, an_event, minutes, recorded, some_facts


async def many_recorded(storage, count=5):
    """A decision on each of so many changes, a minute apart."""
    return [
        await recorded(storage, facts=some_facts(title=f"change {n}"), change=a_ref(number=n + 1), at=NOON + minutes(n))
        for n in range(count)
    ]


class ErasingExam:
    async def test_blobs_of_a_kind_are_read_in_pages(self, storage):
        """Each once, whole; none of another kind."""
        made = await many_recorded(storage)
        await storage.record_delivery(a_delivery(body=b"\0" * 3_000_000), [])
        found = []
        while page := await storage.blobs_of("facts", after=found[-1][0] if found else "", limit=2):
            found += page
        assert [name for name, _ in found] == sorted(decision.input_digest for decision in made)
        assert all(digest("facts", content) == name for name, content in found)
        ((name, content),) = await storage.blobs_of("delivery")
        assert (name, len(content)) == (digest("delivery", content), 3_000_000)

    async def test_erased_bytes_say_when_and_why(self, storage):
        """Also large ones; the others stay, and the act is on record."""
        made = await many_recorded(storage, 3)
        body = Random(3).randbytes(3_000_000)
        await storage.record_delivery(a_delivery(id="large", body=body), [])
        gone = [made[1].input_digest, digest("delivery", body)]
        await storage.erase_blobs(gone, why="somebody asked", event=an_event("person.erased", "record"))
        for name in gone:
            with pytest.raises(Erased, match=f"{name} was erased on 2026-.*: somebody asked"):
                await storage.blob(name)
        assert await storage.blob(made[0].input_digest) == some_facts(title="change 0")
        assert await storage.decision(made[1].id) == made[1]
        assert [event.what for event in await storage.audit_events(about="record")] == ["person.erased"]
        assert made[1].input_digest not in {name for name, _ in await storage.blobs_of("facts")}
        assert not await storage.record_delivery(a_delivery(id="large", body=body), []), "it still is known"
        assert await storage.record_delivery(a_delivery(id="the same bytes", body=body), [])
        with pytest.raises(Erased):  # they do not come back
            await storage.blob(gone[1])

    async def test_old_facts_are_found_but_for_those_in_force_for_open_changes(self, storage):
        """What an open change was last judged by is needed until it is closed."""
        made = await many_recorded(storage)
        await storage.track_change(a_tracked(ref=made[0].change, state="merged"))
        await storage.track_change(a_tracked(ref=made[1].change, state="closed"))
        newer = await recorded(
            storage, facts=some_facts(title="again"), change=made[2].change, verdict=a_verdict(Outcome.ADMITTED), at=NOON + minutes(9)
        )
        found, after = [], 0
        while after is not None:
            page, after = await storage.old_facts(NOON + minutes(4), after=after, limit=2)
            found += page
        assert found == [decision.input_digest for decision in made[:3]]
        assert newer.input_digest not in found
        await storage.erase_blobs(found, why="old", event=an_event())
        left, after = await storage.old_facts(NOON + minutes(4), limit=2)
        assert (list(left), after is not None) == ([], True), "the one that is needed was looked at"
        assert await storage.old_facts(NOON + minutes(4), after=after) == ([], None)

    async def test_old_deliveries_are_found_until_they_are_dropped(self, storage):
        """By when they were received."""
        for number in range(4):
            await storage.record_delivery(a_delivery(id=str(number), body=b"%d" % number, received_at=NOON + minutes(number)), [])
        found = await storage.old_deliveries(NOON + minutes(2))
        assert sorted(found) == sorted(digest("delivery", b"%d" % number) for number in (0, 1))
        await storage.erase_blobs(found, why="old", event=an_event())
        assert list(await storage.old_deliveries(NOON + minutes(2))) == []
