"""The SQL record sits the sealing exam, and every way of changing it behind the gateway's back is found and named."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.domain.chain import EMPTY, EntryKind, FlawKind, content_hash, sealed
from gateway.domain.checkpoint import new_key
from gateway.domain.erasure import erased_event, retired_event
from gateway.domain.record import Generation
from gateway.operations.verify_record import verified
from gateway.storage import Database
from gateway.storage.documents import GENERATION_DIGEST, generation_digest
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.decisions import row_of
from gateway.storage.sql.sealed_record import SqlSealedRecord
from gateway.storage.sql.tables import audit_events, blobs, bundles, chain_head, checkpoints, decisions, generations, seals, unsealed
from policies.canonical import canonical, digest
from policies.model import Outcome
from tests.contract.storage.builders import NOON, a_bundle, a_decision, a_ref, a_verdict, an_event, minutes, recorded, some_facts
from tests.contract.storage.sealing_exam import SealingExam, all_flaws, published

COUNT = 6


@pytest.fixture
def storage(database):
    return SqlStorage(database)


@pytest.fixture
def record(database):
    return SqlSealedRecord(database)


class TestSqlSealedRecord(SealingExam):
    """On SQLite, PostgreSQL and MariaDB."""


@pytest.fixture
async def filled(storage, record):
    """Six decisions, one audit event in the middle, all sealed; the decisions in the order of their positions."""
    made = []
    for number in range(COUNT):
        if number == 3:
            await published(storage, 1)
        facts = some_facts(title=f"change {number}")
        made.append(await recorded(storage, facts=facts, change=a_ref(number=number), at=NOON + minutes(number)))
    await record.seal()
    assert await all_flaws(record) == []
    return made


async def tampered(database, record, statement):
    """What is found after this statement."""
    await database.write(lambda connection: connection.execute(statement).close())
    return [(flaw.kind, flaw.position, flaw.entry) for flaw in await all_flaws(record)]


pytestmark = pytest.mark.anyio


async def test_changed_document_is_named(database, record, filled):
    """One byte of one decision."""
    victim = filled[2]
    document = await database.read(lambda c: c.scalar(select(decisions.c.document).where(decisions.c.id == victim.id)))
    changed = document.replace(b'"denied"', b'"admited"', 1)
    assert changed != document
    found = await tampered(database, record, update(decisions).where(decisions.c.id == victim.id).values(document=changed))
    assert found == [(FlawKind.ENTRY_CHANGED, 3, victim.id)]


@pytest.mark.parametrize(
    "values",
    [
        {"outcome": "admitted"},
        {"at": 0},
        {"connection": "home"},
        {"connection": None},
        {"repository_key": "0" * 64},
        {"change_key": "0" * 64},
        {"number": 99},
        {"facts": "provided"},
        {"facts_digest": "sha256:" + "0" * 64},
    ],
    ids=lambda values: "_".join(map(str, values)),
)
async def test_changed_column_is_named(database, record, filled, values):
    """A decision that is no longer found under what it says, or found under what it does not."""
    victim = filled[4]
    found = await tampered(database, record, update(decisions).where(decisions.c.id == victim.id).values(values))
    assert found == [(FlawKind.ENTRY_CHANGED, 6, victim.id)]


async def test_deleted_decision_is_named(database, record, filled):
    """A record that was inconvenient."""
    found = await tampered(database, record, delete(decisions).where(decisions.c.id == filled[0].id))
    assert found == [(FlawKind.ENTRY_MISSING, 1, filled[0].id)]


async def test_renamed_decision_is_gone_and_another_was_never_enlisted(database, record, filled):
    """Its id is part of it."""
    found = await tampered(database, record, update(decisions).where(decisions.c.id == filled[0].id).values(id="other"))
    assert found == [(FlawKind.ENTRY_MISSING, 1, filled[0].id), (FlawKind.ENTRY_UNSEALED, None, "other")]


async def test_inserted_decision_is_named(database, record, filled):
    """One that nobody decided."""
    forged = a_decision(some_facts(), verdict=a_verdict(Outcome.ADMITTED))
    found = await tampered(database, record, insert(decisions).values(row_of(forged, some_facts())))
    assert found == [(FlawKind.ENTRY_UNSEALED, None, forged.id)]


async def test_changed_audit_event_is_named(database, record, filled):
    """Who published what."""
    found = await tampered(database, record, update(audit_events).values(document=b'{"who":"ben"}'))
    assert [(kind, position) for kind, position, _ in found] == [(FlawKind.ENTRY_CHANGED, 4)]


async def test_changed_facts_are_named(database, record, filled):
    """What a decision was based on."""
    victim = filled[1]
    found = await tampered(
        database, record, update(blobs).where(blobs.c.digest == victim.input_digest).values(content=some_facts(title="nicer"))
    )
    assert found == [(FlawKind.FACTS_CHANGED, 2, victim.id)]


CHANGED = {
    "a file of a bundle": (
        update(blobs).where(blobs.c.digest == digest("file", b"package a\n")).values(content=b"package b\n"),
        FlawKind.BUNDLE_CHANGED,
        "changed or gone: a/policy.rego",
    ),
    "a bundle's list of files": (
        update(bundles).values(document=canonical({"a/policy.rego": digest("file", b"package a\n")})),
        FlawKind.BUNDLE_CHANGED,
        "its list of files has been changed",
    ),
    "a bundle": (delete(bundles), FlawKind.BUNDLE_MISSING, "is gone"),
    "a generation": (update(generations).values(document=b"{}"), FlawKind.GENERATION_CHANGED, "generation 1, brought into force by"),
}


@pytest.mark.parametrize(("statement", "kind", "said"), CHANGED.values(), ids=CHANGED)
async def test_changed_rules_are_named(database, storage, record, statement, kind, said):
    """What judged, and what was in force: once, at the first sealed entry that names it."""
    bundle = a_bundle()
    generation = Generation(number=1, activated_at=NOON, bundles=(bundle.id,), by="ana")
    details = {"generation": 1, GENERATION_DIGEST: generation_digest(generation)}
    await storage.put_in_force(generation, keep=[bundle], event=an_event(details=details))
    await recorded(storage, in_force=1, bundles=(bundle.id,), generation=1)
    await record.seal()
    assert await all_flaws(record) == []
    await database.write(lambda connection: connection.execute(statement).close())
    (flaw,) = await all_flaws(record)
    assert (flaw.kind, flaw.position) == (kind, 1)
    assert said in flaw.message


async def test_missing_facts_are_named_and_the_chain_stays_whole(database, record, filled):
    """Erasing a person's data costs the replay of what was based on it, and nothing else."""
    victim = filled[1]
    found = await tampered(database, record, delete(blobs).where(blobs.c.digest == victim.input_digest))
    assert found == [(FlawKind.FACTS_MISSING, 2, victim.id)]


async def test_facts_erased_by_an_act_on_record_are_no_flaw(database, storage, record, filled):
    """A person's, or what was older than is kept; the chain is whole, and so is what is left."""
    at = NOON + minutes(60)
    await storage.erase_blobs(
        [filled[1].input_digest], why="asked", event=erased_event("user:work/1", [filled[1].input_digest], who="ana", at=at)
    )
    assert await all_flaws(record) == []
    old = [filled[0].input_digest, filled[2].input_digest]
    await storage.erase_blobs(old, why="old", event=retired_event("facts", filled[3].at, 2, at=at))
    assert await all_flaws(record) == []
    await record.seal()
    assert await all_flaws(record) == []


async def test_facts_erased_without_an_act_on_record_are_named(database, storage, record, filled):
    """A tombstone somebody has put there; an act that was about others; facts younger than what was retired."""
    at = NOON + minutes(60)
    tombstone = {"kind": "erased", "content": canonical({"why": "nobody asked", "at": "2026-01-01T00:00:00Z"})}
    victim = filled[5]
    await storage.erase_blobs([filled[0].input_digest], why="old", event=retired_event("facts", filled[5].at, 1, at=at))
    found = await tampered(database, record, update(blobs).where(blobs.c.digest == victim.input_digest).values(tombstone))
    assert found == [(FlawKind.FACTS_MISSING, 7, victim.id)]


@pytest.mark.parametrize("column", ["content", "hash", "ref", "kind"])
@pytest.mark.parametrize("value", ["0" * 16, "no hex!", ""], ids=["zeros", "words", "nothing"])
async def test_changed_seal_is_named(database, record, filled, column, value):
    """Whatever of it, to whatever; the first flaw found is where it was changed."""
    found = await tampered(database, record, update(seals).where(seals.c.position == 5).values({column: value}))
    assert (FlawKind.SEAL_CHANGED, 5) in {(kind, position) for kind, position, _ in found}
    assert min(position for _, position, _ in found if position) == 5


async def test_missing_seal_is_named(database, record, filled):
    """With the decision that has lost its place."""
    found = await tampered(database, record, delete(seals).where(seals.c.position == 3))
    assert found == [(FlawKind.SEAL_MISSING, 3, None), (FlawKind.ENTRY_UNSEALED, None, filled[2].id)]


async def test_shortened_chain_is_found_by_its_head(database, record, filled):
    """The newest decisions and their seals taken away together."""
    await database.write(lambda c: c.execute(delete(decisions).where(decisions.c.id == filled[-1].id)).close())
    found = await tampered(database, record, delete(seals).where(seals.c.position == COUNT + 1))
    assert found == [(FlawKind.HEAD_WRONG, COUNT + 1, None)]


async def test_head_that_was_moved_back_is_found(database, record, filled):
    """So that the next seal would fork the chain."""
    (before,) = [seal for seal in await record.seals() if seal.position == 4]
    found = await tampered(database, record, update(chain_head).values(position=4, hash=before.hash))
    assert found == [(FlawKind.HEAD_WRONG, 4, None)]


@pytest.fixture
async def signed(record, filled):
    """The key that signed the whole of it."""
    key = new_key()
    await record.checkpoint(key, at=NOON)
    return key


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "0" * 64},
        {"position": 3},
        {"at": "2026-01-01T00:00:00Z"},
        {"signature": "0" * 128},
        {"signature": "no hex"},
        {"key": "0" * 64},
        {"key": ""},
        {"hash": None},
    ],
    ids=lambda change: "_".join(f"{name}_{str(value)[:6]}" for name, value in change.items()),
)
async def test_changed_checkpoint_is_named(database, record, signed, change):
    """Whatever of it."""
    document = await database.read(lambda c: c.scalar(select(checkpoints.c.document)))
    forged = canonical({**json.loads(document), **change})
    found = await tampered(database, record, update(checkpoints).values(document=forged))
    assert found == [(FlawKind.CHECKPOINT_CHANGED, COUNT + 1, None)]


async def test_checkpoint_that_is_no_checkpoint_is_named(database, record, signed):
    """Not even one that can be read; signing goes on."""
    found = await tampered(database, record, update(checkpoints).values(document=b"[]"))
    assert found == [(FlawKind.CHECKPOINT_CHANGED, COUNT + 1, None)]
    assert await record.checkpoint(signed, at=NOON) is not None
    assert await all_flaws(record) == []


async def test_chain_cut_short_with_its_head_is_found_by_its_checkpoint(database, record, filled, signed):
    """The newest decision, its seal and the head taken back together: nothing in the chain itself tells."""
    before = (await record.seals())[-2]

    def cut(connection):
        connection.execute(delete(decisions).where(decisions.c.id == filled[-1].id))
        connection.execute(delete(seals).where(seals.c.position == COUNT + 1))
        connection.execute(update(chain_head).values(position=before.position, hash=before.hash))

    await database.write(cut)
    (flaw,) = await all_flaws(record)
    assert (flaw.kind, flaw.position) == (FlawKind.SEAL_MISSING, COUNT + 1)
    assert "the chain has been cut short" in flaw.message


async def test_chain_sealed_anew_is_found_by_its_checkpoint(database, record, filled, signed):
    """Everything rewritten so that it hangs together: the signed head does not lead to it."""
    entries = [seal.entry for seal in await record.seals()]
    swapped = sealed(EMPTY, [entries[1], entries[0], *entries[2:]])

    def rewrite(connection):
        connection.execute(delete(seals))
        for seal in swapped:
            entry = seal.entry
            row = {"position": seal.position, "kind": entry.kind, "ref": entry.id, "content": entry.content, "hash": seal.hash}
            connection.execute(insert(seals).values(row))
        connection.execute(update(chain_head).values(hash=swapped[-1].hash))

    await database.write(rewrite)
    (flaw,) = await all_flaws(record)
    assert (flaw.kind, flaw.position) == (FlawKind.CHAIN_REWRITTEN, COUNT + 1)


async def test_chain_and_checkpoint_made_anew_are_found_by_one_kept_elsewhere(database, record, filled, signed):
    """Whoever can write everything, the key included, cannot change what others have kept."""
    (kept,) = await record.checkpoints()
    entries = [seal.entry for seal in await record.seals()]
    swapped = sealed(EMPTY, [entries[1], entries[0], *entries[2:]])

    def rewrite(connection):
        connection.execute(delete(checkpoints))
        connection.execute(delete(seals))
        for seal in swapped:
            entry = seal.entry
            row = {"position": seal.position, "kind": entry.kind, "ref": entry.id, "content": entry.content, "hash": seal.hash}
            connection.execute(insert(seals).values(row))
        connection.execute(update(chain_head).values(hash=swapped[-1].hash))

    await database.write(rewrite)
    await record.checkpoint(signed, at=NOON)
    assert await all_flaws(record) == []
    found = await verified(record, public_key=signed.public, kept=[kept])
    assert [flaw.kind for flaw in found.flaws] == [FlawKind.CHAIN_REWRITTEN]


@pytest.mark.parametrize("values", [{"at": 0}, {"about_key": "0" * 64}], ids=["when", "about"])
async def test_changed_column_of_an_audit_event_is_named(database, record, filled, values):
    """One that is no longer found under what it is about."""
    found = await tampered(database, record, update(audit_events).values(values))
    assert [(kind, position) for kind, position, _ in found] == [(FlawKind.ENTRY_CHANGED, 4)]


async def test_chain_sealed_anew_after_a_change_has_another_head(database, record, filled):
    """It hangs together, so only who has kept an earlier head can tell: that is what checkpoints are for."""
    kept = await record.head()
    victim = filled[0]
    forged = b'{"id":"forged"}'
    entries = [seal.entry for seal in await record.seals()]
    entries[0] = type(entries[0])(kind=EntryKind.DECISION, id=victim.id, content=content_hash(EntryKind.DECISION, forged))
    anew = sealed(EMPTY, entries)

    def rewrite(connection):
        connection.execute(delete(seals))
        for seal in anew:
            entry = seal.entry
            row = {"position": seal.position, "kind": entry.kind, "ref": entry.id, "content": entry.content, "hash": seal.hash}
            connection.execute(insert(seals).values(row))
        connection.execute(update(chain_head).values(hash=anew[-1].hash))

    await database.write(rewrite)
    assert (await record.head()).position == kept.position
    assert (await record.head()).hash != kept.hash
    assert not any(flaw.kind in {FlawKind.SEAL_CHANGED, FlawKind.SEAL_MISSING} for flaw in await all_flaws(record))


async def test_what_waits_is_looked_at_too(database, storage, record, filled):
    """Between recording and sealing nothing can be exchanged either."""
    late = await recorded(storage, change=a_ref(number=77))
    found = await tampered(database, record, update(decisions).where(decisions.c.id == late.id).values(document=b"{}"))
    assert found == [(FlawKind.ENTRY_CHANGED, None, late.id)]


async def test_entry_taken_off_the_list_is_found(database, storage, record, filled):
    """So that it would never be sealed."""
    late = await recorded(storage, change=a_ref(number=77))
    assert await tampered(database, record, delete(unsealed)) == [(FlawKind.ENTRY_UNSEALED, None, late.id)]


async def test_long_chain_is_verified_in_pages(database, storage, record):
    """And a flaw far back is found where it is."""
    made = [await recorded(storage, change=a_ref(number=number)) for number in range(250)]
    await record.seal()
    found = await tampered(database, record, update(decisions).where(decisions.c.id == made[220].id).values(document=b"{}"))
    assert found == [(FlawKind.ENTRY_CHANGED, 221, made[220].id)]


async def test_two_gateways_seal_one_chain(database, storage, record):
    """Each with a writer of its own, while both record."""
    other = Database(str(database.engine.url.render_as_string(hide_password=False)))
    try:
        theirs, their_record = SqlStorage(other), SqlSealedRecord(other)

        async def work(storage, record, start):
            for number in range(start, start + 25):
                await recorded(storage, change=a_ref(number=number))
                await record.seal(limit=3)

        await asyncio.gather(work(storage, record, 0), work(theirs, their_record, 100))
        while (await record.seal()) != await their_record.seal():
            pass
        assert [seal.position for seal in await record.seals()] == list(range(1, 51))
        assert await all_flaws(record) == []
    finally:
        await other.close()
