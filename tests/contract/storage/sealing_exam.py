"""The exam of the sealed record. An adapter sits it with the fixtures `storage` and `record`, which share what is kept."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.chain import EMPTY, EntryKind, broken_links
from gateway.domain.record import Generation
from policies.model import Outcome
from tests.contract.storage.builders import NOON, a_bundle, a_ref, a_verdict, minutes, recorded


async def published(storage, number: int) -> None:
    """A generation with its audit event."""
    bundle = a_bundle(revision=f"r{number}")
    generation = Generation(number=number, activated_at=NOON, bundles=(bundle.id,), by="ana")
    event = AuditEvent(at=NOON, who="ana", what="bundle.published", about="acme")
    await storage.put_in_force(generation, keep=[bundle], event=event)


async def all_flaws(record):
    return [flaw async for flaw in record.flaws()]


@pytest.mark.anyio
class SealingExam:
    """Every promise of `gateway.storage.sealing`."""

    async def test_empty_record_is_whole(self, record):
        """And has the empty head, before and after sealing nothing."""
        assert await record.head() == EMPTY
        assert await record.seal() == EMPTY
        assert list(await record.seals()) == []
        assert await all_flaws(record) == []

    async def test_entries_are_sealed_in_the_order_of_recording(self, storage, record):
        """Decisions and audit events in one chain, each once; a confirmation is no new entry."""
        first = await recorded(storage)
        await published(storage, 1)
        await recorded(storage, at=NOON + minutes(1))
        second = await recorded(storage, verdict=a_verdict(Outcome.HELD), at=NOON + minutes(2))
        head = await record.seal()
        seals = list(await record.seals())
        kinds = [seal.entry.kind for seal in seals]
        assert kinds == [EntryKind.DECISION, EntryKind.AUDIT, EntryKind.DECISION]
        assert [seals[0].entry.id, seals[2].entry.id] == [first.id, second.id]
        assert head == await record.head() == seals[-1].head
        assert list(broken_links(EMPTY, seals)) == []
        assert await all_flaws(record) == []

    async def test_sealing_goes_on_where_it_stopped(self, storage, record):
        """In portions, and again when there is more; sealing without anything new changes nothing."""
        for number in range(7):
            await recorded(storage, change=a_ref(number=number))
        assert [(await record.seal(limit=3)).position for _ in range(4)] == [3, 6, 7, 7]
        await recorded(storage, change=a_ref(number=9))
        assert (await record.seal()).position == 8
        assert list(broken_links(EMPTY, await record.seals())) == []
        assert [seal.position for seal in await record.seals(after=5, limit=2)] == [6, 7]

    async def test_sealers_at_once_make_one_chain(self, storage, record):
        """However many seal while decisions arrive: no gap, no twin, no fork."""
        await asyncio.gather(
            *(recorded(storage, change=a_ref(number=number)) for number in range(40)), *(record.seal(limit=7) for _ in range(20))
        )
        await record.seal()
        seals = await record.seals()
        assert [seal.position for seal in seals] == list(range(1, 41))
        assert len({seal.entry.id for seal in seals}) == 40
        assert await all_flaws(record) == []

    async def test_what_waits_is_no_flaw(self, storage, record):
        """Recorded and enlisted, not yet sealed."""
        await recorded(storage)
        assert await all_flaws(record) == []
        assert await record.head() == EMPTY
