"""The starter model: what a newcomer's organisation looks like in it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies.model import Question
from policies.relations.dsl import parse_model
from policies.relations.local import LocalRelations
from policies.relations.soundness import problems
from policies.relations.starter import starter_text
from tests.unit.relations.test_tuples import a_tuple

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

ACME = [
    a_tuple("person:ana#account@user:work/7"),
    a_tuple("person:ana#account@user:hub/1234"),
    a_tuple("person:ana#account@user:lab/99"),
    a_tuple("team:core#member@person:ana#account"),
    a_tuple("team:all#member@team:core#member"),
    a_tuple("organization:acme#owner@user:work/1"),
    a_tuple("repository:work/12#organization@organization:acme"),
    a_tuple("repository:hub/5#owner@team:core#member"),
    a_tuple("repository:work/12#writer@team:all#member"),
    a_tuple("path:work/12/docs/*#owner@team:core#member"),
    a_tuple("environment:production#deployer@team:core#member"),
    a_tuple("environment:production#approver@user:work/1"),
    a_tuple("environment:production#approver@user:work/7", "until", end="2026-05-04T13:00:00Z"),
]


def related(user, relation, object, *more, at=NOON):
    relations = LocalRelations(parse_model(starter_text()), [*ACME, *more])
    question = Question(user=user, relation=relation, object=object)
    return asyncio.run(relations.answers([question], at=at))[question]


def test_it_is_a_sound_model_without_a_blemish():
    """Nothing in it is refused, repeated or unused."""
    assert problems(parse_model(starter_text())) == []


@pytest.mark.parametrize("account", ["user:work/7", "user:hub/1234", "user:lab/99"])
def test_one_human_has_one_set_of_relations_on_every_forge(account):
    """What the person was given holds for each of her accounts."""
    assert related(account, "owner", "repository:hub/5")
    assert related(account, "owner", "path:work/12/docs/*")
    assert related(account, "can_deploy", "environment:production")
    assert not related(account, "owner", "organization:acme")


@pytest.mark.parametrize("role", ["owner", "maintainer", "writer", "triager", "reader"])
def test_a_role_includes_the_weaker_ones(role):
    """An organisation's owner has every role in its repositories; a writer those from writer down."""
    roles = ["owner", "maintainer", "writer", "triager", "reader"]
    assert related("user:work/1", role, "repository:work/12")
    assert related("user:work/7", role, "repository:work/12") is (roles.index(role) >= roles.index("writer"))
    assert not related("user:work/2", role, "repository:work/12")


def test_a_public_repository_has_everybody_as_reader_only():
    """user:* reads, and does not write."""
    public = a_tuple("repository:work/12#reader@user:*")
    assert related("user:work/2", "reader", "repository:work/12", public)
    assert not related("user:work/2", "triager", "repository:work/12", public)


def test_a_grant_with_an_end_ends():
    """By the judgement's clock, for whichever account was named."""
    assert related("user:work/7", "can_approve", "environment:production")
    assert not related("user:work/7", "can_approve", "environment:production", at=NOON.replace(hour=13))
    assert related("user:work/1", "can_approve", "environment:production", at=NOON.replace(hour=13))


def test_being_suspended_takes_deploying_and_approving_away():
    """Whatever gave it."""
    suspended = a_tuple("environment:production#suspended@person:ana#account")
    assert not related("user:hub/1234", "can_deploy", "environment:production", suspended)
    assert not related("user:work/7", "can_approve", "environment:production", suspended)
    assert related("user:work/1", "can_approve", "environment:production", suspended)


def test_deploying_and_approving_are_two_things():
    """Four eyes: neither includes the other."""
    assert not related("user:work/1", "can_deploy", "environment:production")
    assert not related("user:hub/1234", "can_approve", "environment:production")


@pytest.mark.parametrize(
    ("role", "who"),
    [("publisher", {"user:work/1"}), ("reviver", {"user:work/1"}), ("overrider", set()), ("submitter", {"user:work/1", "user:work/3"})],
)
def test_the_gateways_own_roles_are_relations_too(role, who):
    """An owner publishes and revives; overriding is given to nobody unless somebody says so; members submit."""
    member = a_tuple("organization:acme#member@user:work/3")
    assert {user for user in ("user:work/1", "user:work/3", "user:work/7") if related(user, role, "organization:acme", member)} == who


def test_accounts_of_one_human_know_each_other_where_both_directions_are_told():
    """Which is what keeps her from approving under one what she asked under the other; half of it tells nothing."""
    whose = [a_tuple("user:work/7#person@person:ana")]
    assert related("user:hub/1234", "same_person", "user:work/7", *whose)
    assert not related("user:work/7", "same_person", "user:hub/1234", *whose), "nobody said whose that one is"
    assert not related("user:work/1", "same_person", "user:work/7", *whose)
    assert related("user:lab/99", "same_person", "person:ana")
