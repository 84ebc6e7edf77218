"""What is promised of relationship tuples and models that are kept: all or nothing, who holds them, and a sequence without gaps."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.audit import AuditEvent
from gateway.domain.relations import TupleEdit
from gateway.errors import RelationsMoved
from gateway.storage import StoredModel, TupleFilter
from policies.relations import RelationshipTuple, TupleRefused
from tests.contract.storage.builders import NOON, a_dispatch

ANA, SYNC = "person:ana", "sync:work/repository/12"


def tuple_of(user, relation="member", object="team:core", **fields):
    return RelationshipTuple(user=user, relation=relation, object=object, **fields)


def an_edit(source=ANA, *, writes=(), deletes=(), model=0):
    return TupleEdit(source=source, at=NOON, model=model, writes=tuple(writes), deletes=tuple(deletes))


def told(effect):
    last = effect.changes[-1].sequence
    event = AuditEvent(at=NOON, who="ana", what="relations.tuples", about="relations", details={"sequence": last})
    return event, [a_dispatch(id=f"relations:{last}")]


def never(effect):
    raise AssertionError("nothing changed")


def a_model(number, text="model\n  schema 1.1\ntype user\n"):
    return StoredModel(number=number, text=text, form="dsl", at=NOON, by="ana")


def model_event():
    return AuditEvent(at=NOON, who="ana", what="relations.model", about="relations")


async def held(store):
    return {str(one.tuple): one.sources for one in (await store.everything())[1]}


@pytest.mark.anyio
class RelationsExam:
    """Needs the fixtures `store` (a RelationStore), `storage` (the Storage beside it) and `outbox`."""

    async def test_tuples_are_written_and_deleted_together_with_their_event_and_what_they_set_going(self, store, storage, outbox):
        """One transaction; each change has the next number."""
        first = await store.edit(an_edit(writes=[tuple_of("user:1"), tuple_of("user:2")]), told)
        second = await store.edit(an_edit(writes=[tuple_of("user:3")], deletes=[tuple_of("user:1")]), told)
        assert [(c.sequence, c.written, c.tuple.user) for c in (*first.changes, *second.changes)] == [
            (1, True, "user:1"),
            (2, True, "user:2"),
            (3, True, "user:3"),
            (4, False, "user:1"),
        ]
        assert (second.written, second.deleted) == (1, 1)
        assert await held(store) == {"team:core#member@user:2": (ANA,), "team:core#member@user:3": (ANA,)}
        assert (await store.head()).sequence == 4
        assert list(await store.changes(after=2, limit=9)) == list(second.changes)
        assert list(await store.changes(after=0, limit=1)) == [first.changes[0]]
        assert [event.details["sequence"] for event in await storage.audit_events(about="relations")] == [4, 2]
        assert await outbox() == ["relations:2", "relations:4"]

    async def test_what_is_so_already_changes_nothing(self, store, outbox):
        """Neither a number nor an event is spent on it."""
        await store.edit(an_edit(writes=[tuple_of("user:1")]), told)
        effect = await store.edit(an_edit(writes=[tuple_of("user:1")], deletes=[tuple_of("user:2")]), never)
        assert effect.changes == ()
        assert (await store.head()).sequence == 1
        assert await outbox() == ["relations:1"]

    async def test_condition_takes_the_place_of_the_one_before(self, store):
        """A tuple is known by object, relation and user; its condition is not part of that."""
        until = tuple_of("user:1", condition="until", context={"end": "2027-01-01T00:00:00Z"})
        await store.edit(an_edit(writes=[tuple_of("user:1")]), told)
        await store.edit(an_edit(writes=[until]), told)
        head, tuples = await store.everything()
        assert [one.tuple for one in tuples] == [until]
        assert tuples[0].tuple.context == {"end": "2027-01-01T00:00:00Z"}
        assert head.sequence == 2

    async def test_synchronisation_never_deletes_or_rewrites_what_a_person_wrote(self, store):
        """It holds the tuple too, and lets go of its own hold only."""
        mine = tuple_of("user:1", condition="until", context={"end": "2027-01-01T00:00:00Z"})
        await store.edit(an_edit(writes=[mine]), told)
        assert (await store.edit(an_edit(SYNC, writes=[tuple_of("user:1")]), never)).changes == ()
        assert (await store.everything())[1][0].tuple == mine
        assert await held(store) == {str(mine): (ANA, SYNC)}
        assert (await store.edit(an_edit(SYNC, deletes=[tuple_of("user:1")]), never)).changes == ()
        assert await held(store) == {str(mine): (ANA,)}

    async def test_tuple_stays_while_anybody_holds_it(self, store):
        """A person takes back their own; what the forge says stays, until the forge says otherwise."""
        one = tuple_of("user:1")
        await store.edit(an_edit(SYNC, writes=[one]), told)
        await store.edit(an_edit(writes=[one]), never)
        await store.edit(an_edit("person:ben", deletes=[one]), never)
        assert await held(store) == {str(one): (SYNC,)}
        assert (await store.edit(an_edit(SYNC, deletes=[one]), told)).deleted == 1
        assert await held(store) == {}

    async def test_what_a_place_of_a_forge_holds_is_found(self, store):
        """Alone or among others; a place that holds nothing any more is not there."""
        both, alone = tuple_of("user:1"), tuple_of("user:2")
        await store.edit(an_edit(SYNC, writes=[both, alone]), told)
        await store.edit(an_edit("sync:work/organization/1", writes=[both]), never)
        await store.edit(an_edit(writes=[both]), never)
        assert {one.tuple for one in await store.held_by(SYNC)} == {both, alone}
        assert [one.sources for one in await store.held_by("sync:work/organization/1")] == [(ANA, "sync:work/organization/1", SYNC)]
        assert await store.synced_sources("sync:work") == ["sync:work/organization/1", SYNC]
        await store.edit(an_edit(SYNC, deletes=[both, alone]), told)
        assert await store.synced_sources("sync:") == ["sync:work/organization/1"]
        assert await store.held_by(SYNC) == []

    async def test_person_cannot_delete_what_only_the_forge_says(self, store):
        """The next pass would bring it back; nothing else of the request is done either."""
        await store.edit(an_edit(SYNC, writes=[tuple_of("user:1")]), told)
        with pytest.raises(TupleRefused, match="team:core#member@user:1 comes from sync:work/repository/12") as refusal:
            await store.edit(an_edit(writes=[tuple_of("user:2")], deletes=[tuple_of("user:1")]), never)
        assert "on the forge" in refusal.value.advice
        assert await held(store) == {"team:core#member@user:1": (SYNC,)}

    async def test_one_request_says_one_thing_of_a_tuple(self, store):
        """Written twice, or written and deleted, is refused."""
        for edit in (
            an_edit(writes=[tuple_of("user:1"), tuple_of("user:1")]),
            an_edit(writes=[tuple_of("user:1")], deletes=[tuple_of("user:1")]),
        ):
            with pytest.raises(TupleRefused, match="given twice"):
                await store.edit(edit, never)
        assert (await store.head()).sequence == 0

    async def test_edit_checked_against_another_model_is_refused(self, store, storage, outbox):
        """So is a model that does not follow the one in force."""
        await store.put_model(a_model(1), event=model_event(), dispatches=[a_dispatch(id="asked")])
        assert (await store.head()).model == 1
        assert await store.model(1) == a_model(1)
        assert await store.model(2) is None
        with pytest.raises(RelationsMoved):
            await store.edit(an_edit(writes=[tuple_of("user:1")]), never)
        with pytest.raises(RelationsMoved):
            await store.put_model(a_model(1, "other"), event=model_event(), dispatches=[a_dispatch(id="never")])
        assert [event.what for event in await storage.audit_events()] == ["relations.model"]
        assert await outbox() == ["asked"]
        await store.edit(an_edit(writes=[tuple_of("user:1")], model=1), told)
        assert (await store.head()).sequence == 1

    async def test_edits_at_once_get_numbers_of_their_own(self, store):
        """None is lost and none meets another."""
        edits = [store.edit(an_edit(writes=[tuple_of(f"user:{n}"), tuple_of(f"user:{n}", "maintainer")]), told) for n in range(20)]
        effects = await asyncio.gather(*edits)
        assert sorted(change.sequence for effect in effects for change in effect.changes) == list(range(1, 41))
        assert len(await held(store)) == 40
        assert [change.sequence for change in await store.changes(after=0, limit=100)] == list(range(1, 41))

    async def test_tuples_are_found_by_object_relation_and_user_page_by_page(self, store):
        """In the order in which they came; a cursor goes on where the page ended."""
        writes = [tuple_of(f"user:{n}", relation) for n in range(5) for relation in ("member", "maintainer")]
        await store.edit(an_edit(writes=[*writes, tuple_of("user:0", object="team:Core")]), told)

        async def users(**wanted):
            return [one.tuple.user for one in (await store.tuples(TupleFilter(**wanted), limit=100)).tuples]

        assert await users(object="team:core", relation="member") == [f"user:{n}" for n in range(5)]
        assert await users(object="team:Core") == ["user:0"]
        assert len(await users(user="user:0")) == 3
        assert await users(user="user:0", object="team:core", relation="member") == ["user:0"]
        assert await users(object="team:none") == []
        found, cursor = [], None
        while True:
            page = await store.tuples(TupleFilter(object="team:core"), limit=4, cursor=cursor)
            found += [one.tuple for one in page.tuples]
            if (cursor := page.cursor) is None:
                break
        assert found == writes

    async def test_names_are_for_people_and_may_change(self, store):
        """The newest counts; whoever has none is not there."""
        await store.keep_names({"user:work/1": "ana", "team:work/2": "acme/core"})
        await store.keep_names({"user:work/1": "anna", "team:work/2": "acme/core"})
        assert await store.names(["user:work/1", "team:work/2", "user:work/9"]) == {"user:work/1": "anna", "team:work/2": "acme/core"}
        assert await store.names([]) == {}

    async def test_who_is_called_so_now_is_found_by_connection_in_any_case(self, store):
        """Of a name that moved on, who has it now; of one that is still written of two, both; kinds are not told apart."""
        await store.keep_names({"user:work/1": "ana", "user:home/1": "ana", "team:work/2": "Acme/Core", "user:work/3": "ben"})
        await store.keep_names({"user:work/1": "anna", "user:work/4": "Ana", "user:work/5": "ben"})
        found = await store.named("work", ["ANA", "anna", "acme/core", "ben", "nobody"])
        assert found == {
            "ana": ["user:work/4"],
            "anna": ["user:work/1"],
            "acme/core": ["team:work/2"],
            "ben": ["user:work/3", "user:work/5"],
        }
        await store.keep_names({"user:work/1": "ana"})
        assert await store.named("work", ["ana"]) == {"ana": ["user:work/1", "user:work/4"]}
        assert await store.named("work", []) == {}

    async def test_many_tuples_are_one_transaction(self, store):
        """More than a statement takes."""
        many = [tuple_of(f"user:{n}") for n in range(1201)]
        await store.edit(an_edit(writes=many), told)
        await store.edit(an_edit(SYNC, writes=many[:1100]), never)
        effect = await store.edit(an_edit(deletes=many[1100:]), told)
        assert effect.deleted == 101
        assert (await store.head()).sequence == 1302
        assert len(await held(store)) == 1100
