"""What is promised of deliveries and of the outbox."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.payload import PAYLOAD_LIMIT
from gateway.errors import PayloadTooLarge
from tests.contract.storage.builders import a_delivery, a_dispatch


class DeliveriesExam:
    async def test_delivery_is_read_back_as_it_came(self, storage):
        """Headers, raw bytes and the time survive to the microsecond."""
        delivery = a_delivery(body=b"\x00\xff not even text")
        assert await storage.record_delivery(delivery, [])
        assert await storage.delivery("work", delivery.id) == delivery

    async def test_unknown_delivery_is_none(self, storage):
        """Nobody sent it."""
        assert await storage.delivery("work", "never") is None

    async def test_duplicate_delivery_changes_nothing(self, storage, outbox):
        """A replayed webhook is known, whatever it holds the second time, and sets nothing going."""
        first = a_delivery(id="same")
        assert await storage.record_delivery(first, [a_dispatch(id="one")])
        assert not await storage.record_delivery(a_delivery(id="same", body=b"other"), [a_dispatch(id="two")])
        assert await storage.delivery("work", "same") == first
        assert await outbox() == ["one"]

    async def test_same_id_on_two_connections_is_two_deliveries(self, storage):
        """Forges count for themselves."""
        assert await storage.record_delivery(a_delivery(connection="work", id="1"), [])
        assert await storage.record_delivery(a_delivery(connection="home", id="1"), [])

    async def test_two_deliveries_may_have_the_same_body(self, storage):
        """Bodies are kept once, deliveries are two."""
        first, second = a_delivery(body=b"ping"), a_delivery(body=b"ping")
        await storage.record_delivery(first, [])
        await storage.record_delivery(second, [])
        assert await storage.delivery("work", first.id) == first
        assert await storage.delivery("work", second.id) == second

    async def test_ids_that_differ_only_in_case_or_trailing_blanks_are_two(self, storage):
        """An identity is compared byte by byte on every database."""
        for id in ("Ab", "ab", "ab ", "äb"):
            assert await storage.record_delivery(a_delivery(id=id), [])

    async def test_one_of_many_duplicates_at_once_is_new(self, storage, outbox):
        """Ten at the same moment: one is taken, nine are known."""
        answers = await asyncio.gather(
            *(storage.record_delivery(a_delivery(id="burst"), [a_dispatch(id="burst-dispatch")]) for _ in range(10))
        )
        assert sorted(answers) == [False] * 9 + [True]
        assert await outbox() == ["burst-dispatch"]

    async def test_known_dispatch_is_written_once(self, storage, outbox):
        """Whoever repeats a dispatch, and in whatever order, it happens once."""
        await storage.record_dispatches([a_dispatch(id="a"), a_dispatch(id="b")])
        await storage.record_dispatches([a_dispatch(id="b"), a_dispatch(id="c"), a_dispatch(id="c")])
        assert await outbox() == ["a", "b", "c"]

    async def test_dispatch_no_workflow_could_be_given_is_refused_with_all_it_came_with(self, storage, outbox):
        """Else it would be found out when nobody can be told any more."""
        huge = a_dispatch(payload="x" * PAYLOAD_LIMIT)
        with pytest.raises(PayloadTooLarge, match="the signal's payload: expected at most 262144 bytes of JSON, found 262146"):
            await storage.record_delivery(a_delivery(id="huge"), [a_dispatch(id="small"), huge])
        assert await storage.delivery("work", "huge") is None
        with pytest.raises(PayloadTooLarge, match="the input: expected a JSON value, found one that is not"):
            await storage.record_dispatches([a_dispatch(id="small"), a_dispatch(input={1, 2})])
        assert await outbox() == []
