"""Lists of objects and users: no more and no less than checks say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.errors import RelationsRefused
from policies.relations.dsl import parse_model
from policies.relations.evaluator import Evaluator
from policies.relations.refusals import ConditionFailed, QuestionRefused
from tests.contract.relations.worlds import IDS, random_question
from tests.unit.relations.test_check import world
from tests.unit.relations.test_tuples import a_tuple

MODEL = parse_model("""
model
  schema 1.1
type user
type team
  relations
    define member: [user, user:*, team#member]
type repository
  relations
    define organization: [organization]
    define owner: [user, team#member, user with told] or admin from organization
    define blocked: [user]
    define approver: owner but not blocked
type organization
  relations
    define admin: [user, team#member]
condition told(x: int) {
  x == 1
}
""")

TUPLES = [
    a_tuple("repository:1#owner@team:core#member"),
    a_tuple("repository:2#organization@organization:acme"),
    a_tuple("repository:3#owner@user:cid", "told"),
    a_tuple("organization:acme#admin@user:ana"),
    a_tuple("team:core#member@user:ana"),
    a_tuple("team:core#member@user:bob"),
    a_tuple("team:core#member@team:all#member"),
    a_tuple("repository:1#blocked@user:bob"),
]


def evaluator(*more):
    return Evaluator(MODEL, [*TUPLES, *more])


def test_objects_are_found_through_teams_and_parents():
    """Whatever leads from a user to objects of the type is followed."""
    assert evaluator().objects("user:ana", "approver", "repository").names == ("repository:1", "repository:2")
    assert evaluator().objects("user:bob", "approver", "repository").names == ()
    assert evaluator().objects("team:core#member", "owner", "repository").names == ("repository:1",)
    assert evaluator().objects("user:ana", "member", "team").names == ("team:core",)


def test_users_are_found_through_teams_and_parents():
    """Whatever leads from an object to users of the kind is followed, and who is taken away is not listed."""
    assert evaluator().users("repository:1", "owner", "user").names == ("user:ana", "user:bob")
    assert evaluator().users("repository:1", "approver", "user").names == ("user:ana",)
    assert evaluator().users("repository:1", "owner", "team", "member").names == ("team:all#member", "team:core#member")
    assert evaluator().users("repository:2", "owner", "user").names == ("user:ana",)


def test_everybody_is_listed_as_such_beside_the_named():
    """A public team is one name in the list, not all the world's."""
    everybody = evaluator(a_tuple("team:all#member@user:*"))
    assert everybody.users("repository:1", "owner", "user").names == ("user:*", "user:ana", "user:bob")
    assert everybody.objects("user:zoe", "owner", "repository").names == ("repository:1",)


PARDON = parse_model("""
model
  schema 1.1
type user
type page
  relations
    define public: [user:*]
    define blocked: [user] but not pardoned
    define pardoned: [user]
    define reader: public but not blocked
""")


def test_who_is_blocked_and_pardoned_is_listed_beside_everybody():
    """As on the server: everybody, and by name who was taken away and given back; not who stays blocked."""
    written = [
        a_tuple("page:1#public@user:*"),
        a_tuple("page:1#blocked@user:bob"),
        a_tuple("page:1#blocked@user:cid"),
        a_tuple("page:1#pardoned@user:bob"),
    ]
    assert Evaluator(PARDON, written).users("page:1", "reader", "user").names == ("user:*", "user:bob")


def test_a_condition_on_the_way_is_evaluated_or_refuses_the_list():
    """With its parameter it lists or does not; without, there is no list, since it would be missing somebody."""
    for context, names in (({"x": 1}, ("repository:3",)), ({"x": 2}, ())):
        assert evaluator().objects("user:cid", "owner", "repository", context=context).names == names
    with pytest.raises(ConditionFailed):
        evaluator().objects("user:cid", "owner", "repository")
    with pytest.raises(ConditionFailed):
        evaluator().users("repository:3", "owner", "user")


def test_a_list_is_capped_and_says_so():
    """More than asked for: the first by name, and not complete."""
    many = evaluator(*(a_tuple(f"team:t{n:03}#member@user:zoe") for n in range(20)))
    listing = many.objects("user:zoe", "member", "team", most=3)
    assert (listing.names, listing.complete) == (("team:t000", "team:t001", "team:t002"), False)
    assert many.objects("user:zoe", "member", "team", most=20).complete


def test_contextual_tuples_count_for_one_list_only():
    """What goes along with a question is forgotten after it."""
    ready = evaluator()
    along = [a_tuple("team:core#member@user:zoe")]
    assert ready.objects("user:zoe", "member", "team", contextual=along).names == ("team:core",)
    assert ready.users("team:core", "member", "user", contextual=along).names == ("user:ana", "user:bob", "user:zoe")
    assert ready.objects("user:zoe", "member", "team").names == ()


@pytest.mark.parametrize(
    "ask",
    [
        lambda ready: ready.objects("user:ana", "owner", "project"),
        lambda ready: ready.objects("user:ana", "reader", "repository"),
        lambda ready: ready.objects("robot:1", "owner", "repository"),
        lambda ready: ready.objects("ana", "owner", "repository"),
        lambda ready: ready.users("repository:1", "reader", "user"),
        lambda ready: ready.users("project:1", "owner", "user"),
        lambda ready: ready.users("repository:*", "owner", "user"),
        lambda ready: ready.users("repository:1", "owner", "robot"),
        lambda ready: ready.users("repository:1", "owner", "team", "owner"),
    ],
)
def test_what_the_model_does_not_know_is_refused(ask):
    """Types, relations and names are checked before anything is looked up."""
    with pytest.raises(QuestionRefused):
        ask(evaluator())


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_list_of_objects_is_what_checks_of_all_objects_say(seed):
    """Asking about every object that exists finds exactly the listed ones."""
    chance, model, written = world(seed)
    ready = Evaluator(model, written)
    for _ in range(10):
        asked = a_question(chance, model, "objects")
        try:
            names = ready.objects(asked.user, asked.relation, asked.object, context=asked.context).names
        except RelationsRefused:
            continue
        check = ready.check(asked.user, context=asked.context)
        everything = sorted(f"{asked.object}:{id}" for id in IDS)
        assert list(names) == [name for name in everything if proved(check, asked.relation, name)], asked


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_list_of_users_says_what_checks_say(seed):
    """Everybody listed is related; and unless everybody of the type is, nobody related is missing (circles aside)."""
    chance, model, written = world(seed)
    ready = Evaluator(model, written)
    for _ in range(10):
        asked = a_question(chance, model, "users")
        kind, _, relation = asked.user.partition("#")
        try:
            names = ready.users(asked.object, asked.relation, kind, relation or None, context=asked.context).names
        except RelationsRefused:
            continue
        users = [f"{kind}:{id}{'#' + relation if relation else ''}" for id in IDS] + ([] if relation else [f"{kind}:*"])
        checks = {user: ready.check(user, context=asked.context) for user in users}
        related = {user for user, check in checks.items() if proved(check, asked.relation, asked.object)}
        assert set(names) <= related, asked
        if f"{kind}:*" not in names and not any(check.went_round for check in checks.values()):
            assert set(names) == related, asked


def a_question(chance: random.Random, model, kind):
    while True:
        asked = random_question(chance, model)
        if asked.kind == kind:
            return asked


def proved(check, relation, object):
    try:
        return check.proof(relation, object) is not None
    except RelationsRefused:
        return False
