"""What is promised of bundles and generations, of tokens, and of the end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import DatabaseUnavailable
from gateway.storage import DecisionFilter
from policies.canonical import digest
from tests.contract.storage.builders import NOON, a_bundle, a_delivery, a_dispatch, a_token, an_event, minutes


class GenerationsExam:
    async def test_nothing_is_in_force_at_first(self, storage):
        """A gateway without bundles knows that it has none."""
        assert await storage.generation() is None

    async def test_activation_counts_from_one_and_orders_by_name(self, storage):
        """What is in force reads the same however it was handed in."""
        bundles = [a_bundle("zoo"), a_bundle("acme")]
        generation = await storage.activate(bundles, at=NOON, by="ana")
        assert (generation.number, generation.activated_at, generation.by) == (1, NOON, "ana")
        assert [bundle.name for bundle in generation.bundles] == ["acme", "zoo"]
        assert await storage.generation() == generation

    async def test_activating_what_is_in_force_changes_nothing(self, storage):
        """A restart is not a new generation."""
        first = await storage.activate([a_bundle("a"), a_bundle("b")], at=NOON, by="ana")
        again = await storage.activate([a_bundle("b"), a_bundle("a")], at=NOON + minutes(1), by="ben")
        assert again == first

    async def test_going_back_is_a_new_generation(self, storage):
        """Numbers never repeat, also when the bundles do; and nothing in force is a generation too."""
        numbers = [
            (await storage.activate(bundles, at=NOON, by="ana")).number
            for bundles in ([a_bundle()], [a_bundle(revision="r2")], [], [a_bundle()])
        ]
        assert numbers == [1, 2, 3, 4]

    async def test_activations_at_once_leave_neither_gap_nor_twin(self, storage):
        """Twenty together are twenty generations."""
        made = await asyncio.gather(*(storage.activate([a_bundle(revision=f"r{n}")], at=NOON, by="ana") for n in range(20)))
        assert sorted(generation.number for generation in made) == list(range(1, 21))

    async def test_two_bundles_of_one_name_are_refused(self, storage):
        """Which of them is in force could not be said."""
        with pytest.raises(ValueError, match="same name"):
            await storage.activate([a_bundle(revision="r1"), a_bundle(revision="r2")], at=NOON, by="ana")
        assert await storage.generation() is None

    async def test_files_of_every_bundle_stay(self, storage):
        """Of what is in force, of what was, and of what a decision is about to name."""
        one, two, own = a_bundle(revision="r1"), a_bundle(revision="r2", files={"x": b"", "y": b"\0\xff"}), a_bundle("repository")
        await storage.activate([one], at=NOON, by="ana")
        await storage.activate([two], at=NOON, by="ana")
        await storage.keep_bundle(own)
        await storage.keep_bundle(own)
        for bundle in (one, two, own):
            assert await storage.bundle_files(bundle.id.digest) == bundle.files
        assert await storage.bundle_files(digest("bundle", b"never")) is None
        assert await storage.bundle_files("no digest") is None


class TokensExam:
    async def test_token_is_found_by_its_hash(self, storage):
        """And by no other, whatever is asked."""
        token = a_token(expires_at=NOON + minutes(1))
        assert not await storage.has_tokens()
        await storage.add_token(token)
        assert await storage.has_tokens()
        assert await storage.token(token.hash) == token
        for hash in ("0" * 64, token.hash + " ", token.hash[:-1], "\0", "\ud800", ""):
            assert await storage.token(hash) is None

    async def test_known_name_is_replaced(self, storage):
        """The old secret stops working."""
        old, new = a_token(name="ci"), a_token(name="ci")
        await storage.add_token(old)
        await storage.add_token(new)
        assert await storage.token(old.hash) is None
        assert await storage.token(new.hash) == new

    async def test_names_differ_by_case(self, storage):
        """CI and ci are two tokens."""
        upper, lower = a_token(name="CI"), a_token(name="ci")
        await storage.add_token(upper)
        await storage.add_token(lower)
        assert await storage.token(upper.hash) == upper

    @pytest.mark.parametrize("name", ["", " ci", "a\0b", "x" * 200, "\ud800"], ids=["empty", "blank", "NUL", "long", "surrogate"])
    async def test_name_that_cannot_be_kept_is_refused(self, storage, name):
        """The same names on every database."""
        with pytest.raises(ValueError, match="name"):
            await storage.add_token(a_token(name=name))
        with pytest.raises(ValueError, match="name"):
            await storage.create_token(a_token(name=name), event=an_event())

    async def test_created_token_is_on_record_and_its_name_is_given_once(self, storage):
        """A second of that name changes nothing: neither the first token nor the audit."""
        token = a_token(name="ci", actor="person:ana", expires_at=NOON)
        assert await storage.create_token(token, event=an_event("token.created"))
        assert not await storage.create_token(a_token(name="ci"), event=an_event("token.created"))
        assert await storage.token(token.hash) == token
        assert await storage.tokens() == [token]
        assert [event.what for event in await storage.audit_events()] == ["token.created"]

    async def test_revoked_token_stays_known_and_is_revoked_once(self, storage):
        """From a moment on; the second time tells when the first was."""
        await storage.add_token(a_token(name="zoe"))
        await storage.add_token(a_token(name="ana"))
        revoked = await storage.revoke_token("zoe", at=NOON, event=an_event("token.revoked"))
        assert revoked.revoked_at == NOON
        assert not revoked.valid(NOON)
        assert await storage.revoke_token("zoe", at=NOON + minutes(1), event=an_event("token.revoked")) == revoked
        assert await storage.token(revoked.hash) == revoked
        assert [token.name for token in await storage.tokens()] == ["ana", "zoe"]
        assert len(await storage.audit_events()) == 1
        for name in ("ZOE", "zoe ", "\0", "nobody"):
            assert await storage.revoke_token(name, at=NOON, event=an_event("token.revoked")) is None

    async def test_act_is_on_record_with_what_it_sets_going(self, storage, outbox):
        """Where nothing else is written."""
        dispatch = a_dispatch(id="act:1")
        await storage.record_event(an_event("workflow.retried"), [dispatch])
        assert [event.what for event in await storage.audit_events()] == ["workflow.retried"]
        assert "act:1" in await outbox()


class EndExam:
    async def test_open_storage_is_ready(self, storage):
        """Says nothing and raises nothing."""
        await storage.ready()

    async def test_closed_storage_refuses(self, storage):
        """Nothing is lost in silence; closing twice is harmless."""
        await storage.close()
        await storage.close()
        with pytest.raises(DatabaseUnavailable):
            await storage.record_delivery(a_delivery(), [])
        with pytest.raises(DatabaseUnavailable):
            await storage.decisions(DecisionFilter())

    async def test_what_was_handed_in_before_closing_is_kept(self, storage):
        """Writes already waiting end before the database goes."""
        waiting = [asyncio.ensure_future(storage.record_delivery(a_delivery(), [])) for _ in range(50)]
        await asyncio.sleep(0)
        await storage.close()
        assert await asyncio.gather(*waiting) == [True] * 50
