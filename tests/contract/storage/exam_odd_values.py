"""What people and forges can make a gateway store: every one goes through whole, or is refused the same everywhere."""

from __future__ import annotations

import os

import pytest

from policies.canonical import canonical
from policies.errors import NotCanonical
from policies.model import Outcome
from tests.contract.storage.builders import (
    NOON,
    a_bundle,
    a_decision,
    a_delivery,
    a_ref,
    a_report,
    a_tracked,
    minutes,
    recorded,
    some_facts,
)

ODD_TEXTS = {
    "NUL": "a\0b",
    "quotes": "'\"`\\; drop table decision; --",
    "right_to_left": "\u202egnissim si eurt\u202c",
    "emoji": "👩‍👩‍👧 🇨🇭",
    "astral": "\U0010ffff",
    "not_normalised": "e\u0301 \u212b",
    "trailing_blank": "title ",
    "line_ends": "a\r\nb\rc\u2028d",
    "percent": "%s %(x)s :name {}",
    "rego": 'deny contains "x" if true',
    "html": "<script>alert(1)</script>",
    "long": "ü" * 65_536,
    "empty": "",
}
MEGABYTE = 1024 * 1024


class OddValuesExam:
    @pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
    async def test_text_survives_everywhere(self, storage, text):
        """In titles, repositories, branches, contexts, headers, who did it, and in everything they are looked up by."""
        ref = a_ref(title=text, repository=f"acme/{text}", target_branch=text, repository_id=text)
        facts = some_facts(title=text)
        decision = await recorded(storage, facts=facts, change=ref, subject=text)
        assert await storage.decision(decision.id) == decision
        assert await storage.blob(decision.input_digest) == facts
        assert await storage.change("work", f"ACME/{text}", 7) == a_tracked(decision)
        assert [c.ref for c in await storage.changes_with_head("work", text, "a" * 40)] == [ref]
        report = a_report(context=f"admit/{text}", description=text)
        await storage.record_report(report)
        assert await storage.posted("work", "12", "a" * 40, f"admit/{text}") == report
        delivery = a_delivery(id=f"x{text}", headers={"x": text}, what=text)
        await storage.record_delivery(delivery, [])
        assert await storage.delivery("work", f"x{text}") == delivery
        bundle = a_bundle(files={f"x{text}": b"content"})
        generation = await storage.activate([bundle], at=NOON, by=text)
        assert await storage.generation() == generation
        assert await storage.bundle_files(bundle.id.digest) == bundle.files

    async def test_lone_surrogate_is_refused_and_changes_nothing(self, storage, outbox):
        """No JSON carries one the same everywhere; the facts' own door refuses it earlier."""
        decision = a_decision(change=a_ref(title="\ud800"))
        with pytest.raises(NotCanonical):
            await storage.record_decision(decision, facts=some_facts(), change=a_tracked(decision), generation=None)
        with pytest.raises(NotCanonical):
            await storage.track_change(a_tracked(ref=a_ref(title="\ud800")))
        with pytest.raises(NotCanonical):
            await storage.record_delivery(a_delivery(id="odd", what="\ud800"), [])
        with pytest.raises(NotCanonical):
            await storage.record_report(a_report(description="\ud800"))
        assert await storage.decision(decision.id) is None
        assert await storage.change("work", "acme/Shop", 7) is None
        assert await storage.delivery("work", "odd") is None
        assert await storage.posted("work", "12", "a" * 40, "admit/main") is None

    @pytest.mark.parametrize("size", [0, 1, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1, 25 * MEGABYTE], ids=lambda size: f"{size}_bytes")
    async def test_body_of_any_size_goes_through(self, storage, size):
        """From nothing to the largest delivery a forge sends; more than one packet of MariaDB's."""
        delivery = a_delivery(body=os.urandom(size))
        assert await storage.record_delivery(delivery, [])
        found = await storage.delivery("work", delivery.id)
        assert found.body == delivery.body

    async def test_large_facts_go_through(self, storage):
        """Three thousand changed files and a long discussion."""
        facts = canonical({"time": "x", "files": [{"path": f"src/{n}/ü.py"} for n in range(100_000)]})
        decision = await recorded(storage, facts=facts)
        assert await storage.blob(decision.input_digest) == facts

    async def test_times_survive_to_the_microsecond(self, storage):
        """Also of other zones, years ago and ahead."""
        for number, moment in enumerate([NOON.replace(year=1971), NOON.replace(year=2300), NOON.replace(microsecond=0)]):
            decision = await recorded(storage, change=a_ref(number=number), at=moment)
            assert (await storage.decision(decision.id)).at == moment

    async def test_deep_facts_confirm_or_not_without_a_fault(self, storage):
        """A thousand levels are within what the gateway's door lets in."""
        nested: object = 1
        for _ in range(200):
            nested = [nested]
        facts = canonical({"time": "x", "nested": nested})
        first = await recorded(storage, facts=facts, verdict=a_decision().verdict)
        again = await recorded(storage, facts=facts, at=NOON + minutes(1))
        assert again.id == first.id
        assert first.outcome is Outcome.DENIED
