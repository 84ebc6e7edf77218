"""The index that follows the database's sequence: what it may miss, for how long, and how it catches up."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.relations import TupleEdit
from gateway.storage import StoredModel
from gateway.storage import followed_tuples as following
from gateway.storage.followed_tuples import FollowedTuples
from gateway.storage.memory import MemoryStorage
from gateway.storage.memory_relations import MemoryRelationStore
from policies.errors import RelationsUnavailable
from policies.relations import RelationshipTuple
from tests.contract.storage.builders import NOON

pytestmark = pytest.mark.anyio
EVENT = AuditEvent(at=NOON, who="ana", what="relations.tuples", about="relations")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def store(storage):
    return MemoryRelationStore(storage)


def member(number):
    return RelationshipTuple(user=f"user:{number}", relation="member", object="team:core")


async def write(store, *numbers, delete=False):
    tuples = tuple(member(number) for number in numbers)
    edit = TupleEdit(source="person:ana", at=NOON, model=(await store.head()).model, **{"deletes" if delete else "writes": tuples})
    await store.edit(edit, lambda effect: (EVENT, []))


def users(world):
    return sorted(one.user for one in world.tuples)


async def test_newest_misses_nothing_and_current_is_at_most_the_stated_time_old(store):
    """Another gateway's write is seen by a look, and by the next look of its own."""
    followed = FollowedTuples(store, staleness=3600)
    assert users(await followed.current()) == []
    await write(store, 1)
    assert users(await followed.current()) == []
    assert users(await followed.newest()) == ["user:1"]
    assert users(await followed.current()) == ["user:1"]
    assert users(await FollowedTuples(store, staleness=0).current()) == ["user:1"]


async def test_write_through_this_gateway_is_seen_at_once(store):
    """Also by a look that began before it and came back after it."""
    followed = FollowedTuples(store, staleness=3600)
    await followed.current()
    await write(store, 1)
    followed.outdated()
    assert users(await followed.current()) == ["user:1"]
    await write(store, 2)
    slow, go_on = store.head, asyncio.Event()

    async def head():
        found = await slow()
        await go_on.wait()
        return found

    store.head = head
    early = asyncio.ensure_future(followed.newest())
    await asyncio.sleep(0)
    store.head = slow
    await write(store, 3)
    followed.outdated()
    go_on.set()
    await early
    assert users(await followed.current()) == ["user:1", "user:2", "user:3"]


async def test_world_stays_the_same_object_while_only_few_tuples_change(store):
    """What is prepared for a model is kept; far behind, the index is built anew and is as current."""
    followed = FollowedTuples(store, staleness=0)
    first = await followed.current()
    await write(store, 1, 2)
    await write(store, 1, delete=True)
    assert await followed.current() is first
    assert users(first) == ["user:2"]
    many = range(100, 101 + 2 * following._AT_ONCE)
    await write(store, *many)
    assert len(users(await followed.current())) == len(many) + 1


async def test_model_comes_into_force_with_the_next_look(store):
    """Under its own id."""
    followed = FollowedTuples(store, staleness=0)
    before = await followed.current()
    model = StoredModel(number=1, text="model\n  schema 1.1\ntype user\n", form="dsl", at=NOON, by="ana")
    await store.put_model(model, event=EVENT, dispatches=[])
    after = await followed.current()
    assert before.model_id.startswith("starter@")
    assert after.model_id.startswith("1@")
    assert list(after.model.model.types) == ["user"]


async def test_database_that_is_away_is_no_answer(storage, store):
    """Nor is a model in it that cannot be used."""
    followed = FollowedTuples(store, staleness=0)
    await followed.current()
    broken = StoredModel(number=1, text="nonsense", form="dsl", at=NOON, by="ana")
    await store.put_model(broken, event=EVENT, dispatches=[])
    with pytest.raises(RelationsUnavailable, match="model 1 in the database cannot be used"):
        await followed.current()
    await storage.close()
    with pytest.raises(RelationsUnavailable, match="cannot be read"):
        await followed.current()
