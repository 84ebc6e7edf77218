"""Calls to an OpenFGA server that judgements share: each gets its own answers, and nobody's trouble is another's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import Question
from policies.relations.openfga.documents import Changes
from policies.relations.openfga.sharing import Check, SharedCalls
from policies.relations.openfga.state import SharedState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = 0.05
"""For what is never answered."""


class AServer:
    """Knows that users are related whose number is even; keeps who was asked about, call by call. act: done in each call first."""

    def __init__(self):
        self.batches, self.entries = [], 0
        self.began = asyncio.Event()
        self.act = self.look = self.nothing

    async def nothing(self, *_):
        return None

    async def checked(self, checks, model_id):
        users = [check["tuple_key"]["user"] for check in checks]
        self.batches.append(users)
        self.began.set()
        await self.act(users)
        return {check["correlation_id"]: int(user.partition(":")[2]) % 2 == 0 for check, user in zip(checks, users, strict=True)}

    async def time(self):
        return NOON

    async def changes(self, *, token, since):
        await self.look()
        return Changes(count=self.entries - int(token or 0), token=str(self.entries))


@asynccontextmanager
async def sharing(*, patience=60.0):
    server = AServer()
    state = SharedState(server, pinned="M", deadline=60)
    calls = SharedCalls(server, state, patience=patience)
    yield server, calls
    await calls.close()
    await state.close()


def about(*numbers, at=NOON):
    return [Check(question=Question(user=f"user:{n}", relation="owner", object="repository:1"), at=at, along=()) for n in numbers]


async def answered(calls, *numbers, at=NOON, model="M"):
    checks = about(*numbers, at=at)
    found = await calls.answers(checks, model)
    return [found.answers[check] for check in checks]


async def held(server, calls, gate):
    """A first call, alone, that is under way until the gate opens."""

    async def wait(users):
        await gate.wait()

    server.act = wait
    first = asyncio.create_task(answered(calls, 0))
    await server.began.wait()
    return first


async def settled():
    """Whoever was started has come as far as waiting."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_those_who_come_during_a_call_go_together_and_equal_questions_once():
    """Each gets the answers to its own questions."""

    async def story():
        async with sharing() as (server, calls):
            gate = asyncio.Event()
            first = await held(server, calls, gate)
            late = [asyncio.create_task(answered(calls, *numbers)) for numbers in ((1, 2), (2, 3), (4,))]
            await settled()
            assert server.batches == [["user:0"]]
            gate.set()
            assert await first == [True]
            assert await asyncio.gather(*late) == [[False, True], [True, False], [True]]
            assert server.batches == [["user:0"], ["user:1", "user:2", "user:3", "user:4"]]

    asyncio.run(story())


@pytest.mark.parametrize("at_first", [[(0,)], [(0,), (2,)]], ids=["one", "two"])
def test_the_next_call_begins_while_the_state_is_read_for_the_last(at_first):
    """Each still has to do with a reading that began after its own answers."""

    async def story():
        async with sharing() as (server, calls):
            reading, gate = asyncio.Event(), asyncio.Event()
            await calls.answers(about(8), "M")

            async def look():
                reading.set()
                await gate.wait()

            server.look = look
            first = [asyncio.create_task(answered(calls, *numbers)) for numbers in at_first]
            await reading.wait()
            server.look, server.entries = server.nothing, 1
            late = [asyncio.create_task(calls.answers(about(*numbers), "M")) for numbers in ((4,), (6,))]
            while server.batches[-1] not in (["user:4", "user:6"], ["user:6"]):
                await asyncio.sleep(0)
            gate.set()
            assert await asyncio.gather(*first) == [[True]] * len(at_first)
            assert {found.after.token for found in await asyncio.gather(*late)} == {"1"}

    asyncio.run(story())


def test_the_same_question_of_another_second_is_another_question():
    """A condition may tell the two apart."""

    async def story():
        async with sharing() as (server, calls):
            await asyncio.gather(answered(calls, 1), answered(calls, 1, at=NOON.replace(second=1)))
            assert server.batches == [["user:1", "user:1"]]

    asyncio.run(story())


def test_no_call_holds_more_than_the_server_takes_or_mixes_models():
    """The others have their turn afterwards, in the order they came."""

    async def story():
        async with sharing() as (server, calls):
            parts = [range(30), range(20, 50), range(45, 75), range(60, 61)]
            asked = [answered(calls, *part) for part in parts]
            found = await asyncio.gather(*asked, answered(calls, 2, model="N"), answered(calls, 3, model="N"))
            assert found == [*([n % 2 == 0 for n in part] for part in parts), [True], [False]]
            assert [len(batch) for batch in server.batches] == [50, 30, 2]

    asyncio.run(story())


@pytest.mark.parametrize("fault", [RelationsRefused, RelationsUnavailable])
def test_what_fails_a_shared_call_fails_only_the_judgement_whose_question_it_is(fault):
    """Each asks again by itself."""

    async def story():
        async with sharing() as (server, calls):

            async def choke(users):
                if "user:13" in users:
                    raise fault("13")

            server.act = choke
            found = await asyncio.gather(answered(calls, 1, 2), answered(calls, 13), answered(calls, 4), return_exceptions=True)
            assert (found[0], type(found[1]), found[2]) == ([False, True], fault, [True])

    asyncio.run(story())


def test_one_question_that_is_never_answered_holds_nobody_else_up_for_long():
    """Neither who shares its call, nor who comes after."""

    async def story():
        async with sharing(patience=SOON) as (server, calls):

            async def brood(users):
                if "user:13" in users:
                    await asyncio.Event().wait()

            server.act = brood
            slow = asyncio.create_task(answered(calls, 13))
            assert await asyncio.gather(answered(calls, 2), answered(calls, 3)) == [[True], [False]]
            assert await answered(calls, 4) == [True]
            assert not slow.done()
            slow.cancel()

    asyncio.run(story())


def test_one_who_gives_up_leaves_the_others_their_answers():
    """Before the shared call, during it, and where the call was its own."""

    async def story():
        async with sharing() as (server, calls):
            gate = asyncio.Event()
            first = await held(server, calls, gate)
            late = [asyncio.create_task(answered(calls, n)) for n in (1, 2, 3, 4)]
            await settled()
            late[0].cancel()
            await settled()
            server.began.clear()
            first.cancel()  # its call ends with it, and the next has its turn
            await server.began.wait()
            late[1].cancel()
            await settled()
            gate.set()
            found = await asyncio.gather(first, *late, return_exceptions=True)
            assert [type(one) for one in found[:3]] == [asyncio.CancelledError] * 3
            assert found[3:] == [[False], [True]]
            assert server.batches == [["user:0"], ["user:2", "user:3", "user:4"]]

    asyncio.run(story())


def test_state_that_comes_with_shared_answers_was_read_after_them():
    """A change while the call was under way is seen by all who shared it."""

    async def story():
        async with sharing() as (server, calls):
            before = await calls.answers(about(0), "M")

            async def written(users):
                server.entries += 1

            server.act = written
            found = await asyncio.gather(calls.answers(about(1), "M"), calls.answers(about(2), "M"))
            assert len(server.batches) == 2
            assert {one.after.token for one in found} == {"1"}
            assert before.after.token == ""

    asyncio.run(story())


def test_who_still_waits_when_all_is_closed_is_told_by_the_server_that_is_gone():
    """Nobody waits for a turn that will not come."""

    async def story():
        async with sharing() as (server, calls):
            first = await held(server, calls, asyncio.Event())
            late = asyncio.create_task(answered(calls, 1))
            await settled()

            async def gone(users):
                raise RelationsUnavailable("closed")

            server.act = gone
            await calls.close()
            with pytest.raises(RelationsUnavailable):
                await late
            first.cancel()

    asyncio.run(story())
