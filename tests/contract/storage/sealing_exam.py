"""The exam of the sealed record. An adapter sits it with the fixtures `storage` and `record`, which share what is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.chain import EMPTY, EntryKind, FlawKind, broken_links, content_hash
from gateway.domain.checkpoint import new_key, signed_truly
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

    async def test_entries_come_with_what_they_are_of(self, storage, record):
        """In order, in pages; the written form is what was hashed."""
        await recorded(storage)
        await published(storage, 1)
        await record.seal()
        (first, decision), (second, event) = await record.entries()
        assert content_hash(EntryKind.DECISION, decision) == first.entry.content
        assert content_hash(EntryKind.AUDIT, event) == second.entry.content
        assert list(await record.entries(after=1, limit=5)) == [(second, event)]
        assert list(await record.entries(after=2)) == []

    async def test_checkpoint_signs_where_the_chain_has_got_to(self, storage, record):
        """Nothing while nothing is sealed; once for each head; it names its key, which has signed it."""
        key = new_key()
        assert await record.checkpoint(key, at=NOON) is None
        await recorded(storage)
        head = await record.seal()
        made = await record.checkpoint(key, at=NOON)
        assert (made.head, made.at, made.key) == (head, NOON, key.public)
        assert signed_truly(made)
        assert await record.checkpoint(key, at=NOON + minutes(1)) is None
        assert list(await record.checkpoints()) == [made]
        assert list(await record.checkpoints(after=1)) == []
        assert await all_flaws(record) == []

    async def test_another_key_signs_anew(self, storage, record):
        """From the moment it is configured, also where nothing was recorded since."""
        await recorded(storage)
        await record.seal()
        await record.checkpoint(new_key(), at=NOON)
        later = new_key()
        made = await record.checkpoint(later, at=NOON + minutes(1))
        assert made.key == later.public
        assert [flaw async for flaw in record.flaws(public_key=later.public)] == []

    async def test_checkpoints_are_thinned_and_the_newest_stays(self, storage, record):
        """One a minute is kept, however many are signed."""
        key = new_key()
        for number in range(12):
            await recorded(storage, change=a_ref(number=number))
            await record.seal()
            await record.checkpoint(key, at=NOON + timedelta(seconds=10 * number))
        kept = list(await record.checkpoints())
        assert kept[-1].head == await record.head()
        assert len(kept) <= 4
        assert kept[0].head.position == 1

    async def test_checkpoint_of_another_key_is_a_flaw_where_the_key_is_given(self, storage, record):
        """And so is there being none at all."""
        trusted, other = new_key(), new_key()
        await recorded(storage)
        await record.seal()
        assert [flaw.kind async for flaw in record.flaws(public_key=trusted.public)] == [FlawKind.CHECKPOINT_MISSING]
        await record.checkpoint(other, at=NOON)
        (flaw,) = [flaw async for flaw in record.flaws(public_key=trusted.public)]
        assert (flaw.kind, flaw.position) == (FlawKind.CHECKPOINT_CHANGED, 1)
        assert f"signed by another key, {other.public}" in flaw.message

    async def test_record_keeps_the_first_key_it_is_given(self, record):
        """All gateways on one database sign with one key."""
        first, second = new_key(), new_key()
        assert await record.own_key(first) == first
        assert await record.own_key(second) == first
