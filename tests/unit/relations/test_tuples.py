"""Tuples, their names, and the index they are read from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.relations.names import UserName, user_name
from policies.relations.refusals import TupleRefused
from policies.relations.tuples import LayeredTuples, RelationshipTuple, TupleIndex


def a_tuple(text, condition=None, **context):
    """`object#relation@user`."""
    place, user = text.split("@", 1)
    object, relation = place.rsplit("#", 1)
    return RelationshipTuple(object=object, relation=relation, user=user, condition=condition, context=context)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("user:ana", UserName("user", "user:ana", "")),
        ("user:*", UserName("user", "user:*", "*")),
        ("team:core#member", UserName("team", "team:core", "member")),
        ("user:work/7", UserName("user", "user:work/7", "")),
    ],
)
def test_a_user_is_an_object_everybody_or_a_userset(text, parts):
    """The three kinds of users, in parts."""
    assert user_name(text) == parts


@pytest.mark.parametrize(
    "text", ["", "ana", ":ana", "user:", "a:b:c", "a:b#c#d", "a:b#", "#c", "a:*#c", "a b:c", "a:b\n", "a:\x7f", "a:\ud800"]
)
def test_what_is_no_user_is_refused(text):
    """Malformed names never become a tuple."""
    with pytest.raises(TupleRefused):
        user_name(text)


def test_a_context_without_a_condition_is_refused():
    """Values that nothing reads are a mistake."""
    with pytest.raises(TupleRefused, match="without a condition"):
        RelationshipTuple(object="team:1", relation="member", user="user:1", context={"x": 1})


def test_a_later_tuple_of_the_same_key_takes_the_earlier_ones_place():
    """The condition is not part of the key."""
    index = TupleIndex([a_tuple("team:1#member@user:1"), a_tuple("team:1#member@user:1", "until", end=1)])
    assert len(index) == 1
    assert index.stated("team:1", "member", "user:1").condition == "until"


def test_every_change_gives_the_index_another_version():
    """Whoever read twice under one version read one state."""
    index = TupleIndex()
    versions = [index.version]
    for change in (index.add, index.discard):
        change(a_tuple("team:1#member@user:1"))
        versions.append(index.version)
    index.discard(a_tuple("team:1#member@user:1"))
    assert len(set(versions)) == 3
    assert index.version == versions[-1]


PLACES = st.sampled_from(["team:1#member", "team:1#owner", "team:2#member"])
USERS = st.sampled_from(["user:1", "user:2", "user:*", "team:1#member", "team:2#member", "team:2"])
TUPLES = st.builds(lambda place, user: a_tuple(f"{place}@{user}"), PLACES, USERS)


@given(st.lists(st.tuples(st.booleans(), TUPLES)))
def test_the_index_reads_like_a_plain_set_of_tuples(changes):
    """Every way of reading agrees with filtering all tuples, whatever was added and discarded."""
    index, plain = TupleIndex(), {}
    for add, one in changes:
        if add:
            index.add(one)
            plain[one.key] = one
        else:
            index.discard(one)
            plain.pop(one.key, None)
    everything = set(plain.values())
    assert set(index) == everything
    assert len(index) == len(everything)
    for place in ("team:1#member", "team:1#owner", "team:2#member"):
        object, relation = place.split("#")
        here = {one for one in everything if (one.object, one.relation) == (object, relation)}
        assert set(index.written(object, relation)) == here
        assert set(index.usersets(object, relation)) == {one for one in here if "#" in one.user}
        assert set(index.public(object, relation, "user")) == {one for one in here if one.user == "user:*"}
        for user in ("user:1", "user:*", "team:1#member"):
            assert index.stated(object, relation, user) == next((one for one in here if one.user == user), None)
    for user in ("user:1", "team:1#member", "team:2"):
        assert set(index.naming(user)) == {one for one in everything if one.user == user}


def test_contextual_tuples_stand_in_for_stored_ones_and_are_read_beside_them():
    """A plain user is looked up in the contextual ones first; usersets and everybody are read from both."""
    stored = TupleIndex([a_tuple("team:1#member@user:1"), a_tuple("team:1#member@user:*"), a_tuple("team:1#member@team:2#member")])
    over = [a_tuple("team:1#member@user:1", "until", end=1), a_tuple("team:1#member@team:3#member")]
    layered = LayeredTuples(over, stored)
    assert layered.stated("team:1", "member", "user:1").condition == "until"
    assert {one.user for one in layered.usersets("team:1", "member")} == {"team:2#member", "team:3#member"}
    assert len(layered.public("team:1", "member", "user")) == 1
    assert len(list(layered)) == 5
    assert stored.stated("team:1", "member", "user:1").condition is None
