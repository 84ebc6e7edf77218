"""The exam of the `Relations` port, sat by every adapter: what it promises about answers, and what it refuses.

An adapter joins by one line in ADAPTERS: how it is had for a model (DSL) and tuples.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies.errors import RelationsRefused
from policies.model import Question
from policies.relations.asking import MOST_QUESTIONS
from policies.relations.dsl import parse_model
from policies.relations.local import LocalRelations
from tests.contract.relations.on_a_server import served
from tests.unit.relations.test_tuples import a_tuple

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

ADAPTERS = {"local": lambda model, tuples: LocalRelations(parse_model(model), tuples), "openfga": served}

MODEL = """
model
  schema 1.1
type user
type team
  relations
    define member: [user, team#member]
type repository
  relations
    define owner: [user, team#member, user with until]
    define blocked: [user, user with until]
    define approver: owner but not blocked
condition until(current_time: timestamp, end: timestamp) {
  current_time < end
}
"""

TUPLES = [
    a_tuple("team:core#member@user:work/1"),
    a_tuple("repository:work/12#owner@team:core#member"),
    a_tuple("repository:work/12#owner@user:work/2", "until", end="2026-05-04T13:00:00Z"),
    a_tuple("repository:work/15#owner@user:work/4", "until", end="2026-05-04T13:00:00.5Z"),
    a_tuple("repository:work/13#blocked@user:work/1"),
    a_tuple("repository:work/13#owner@team:core#member"),
    a_tuple("repository:work/14#owner@user:work/3"),
    a_tuple("repository:work/14#blocked@user:work/3", "until"),
]


@pytest.fixture(params=ADAPTERS)
def relations(request):
    adapter = ADAPTERS[request.param](MODEL, TUPLES)
    yield adapter
    asyncio.run(adapter.close())


def asked(user, relation, object):
    return Question(user=user, relation=relation, object=object)


def answers(relations, *questions, at=NOON):
    return asyncio.run(relations.answers(questions, at=at))


def answer(relations, user, relation, object, at=NOON):
    question = asked(user, relation, object)
    return answers(relations, question, at=at)[question]


def test_every_question_of_a_batch_is_answered(relations):
    """One batch, one answer for each question, true and false alike."""
    yes = asked("user:work/1", "owner", "repository:work/12")
    no = asked("user:work/9", "owner", "repository:work/12")
    assert answers(relations, yes, no) == {yes: True, no: False}


def test_no_question_is_no_answer(relations):
    """An empty batch is answered with nothing."""
    assert answers(relations) == {}


def test_being_blocked_takes_away_what_a_team_gives(relations):
    """`but not` is false where its right side is true."""
    assert answer(relations, "user:work/1", "approver", "repository:work/12") is True
    assert answer(relations, "user:work/1", "approver", "repository:work/13") is False


def test_conditions_see_the_time_of_the_judgement(relations):
    """The same tuple counts before its end and no longer after, by the judgement's clock alone."""
    assert answer(relations, "user:work/2", "owner", "repository:work/12") is True
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=NOON.replace(hour=14)) is False


def test_conditions_see_the_time_to_the_second(relations):
    """A grant until 13:00:00 counts to its last microsecond; one until half a second later, to the end of that second."""
    last = NOON.replace(minute=59, second=59, microsecond=999_999)
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=last) is True
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=NOON.replace(hour=13)) is False
    assert answer(relations, "user:work/4", "owner", "repository:work/15", at=NOON.replace(hour=13, microsecond=999_999)) is True
    assert answer(relations, "user:work/4", "owner", "repository:work/15", at=NOON.replace(hour=13, second=1)) is False


@pytest.mark.parametrize(
    ("user", "relation", "object", "names"),
    [
        ("user:work/1", "owner", "project:1", "project"),
        ("user:work/1", "admin", "repository:1", "admin"),
        ("robot:1", "owner", "repository:1", "robot"),
        ("team:core#admin", "owner", "repository:1", "admin"),
        ("work/1", "owner", "repository:1", "work/1"),
        ("user:a b", "owner", "repository:1", "a b"),
        ("user:a#b#c", "owner", "repository:1", "a#b#c"),
        ("user:a:b", "owner", "repository:1", "a:b"),
        ("*", "owner", "repository:1", "'*'"),
        ("team:*#member", "owner", "repository:1", "team:*#member"),
        ("user:" + "a" * 10_000, "owner", "repository:1", "512 bytes"),
        ("user:a\x00", "owner", "repository:1", "x00"),
        ("user:\ud800", "owner", "repository:1", "ud800"),
        ("user:work/1", "owner", "repository:*", "repository:*"),
        ("user:work/1", "owner", "repository", "repository"),
        ("user:work/1", "", "repository:1", "relation"),
        ("user:work/1", "own er", "repository:1", "own er"),
    ],
)
def test_a_question_the_model_cannot_be_asked_is_refused_by_name(relations, user, relation, object, names):
    """Unknown types and relations and malformed names are refused, and the message names what was asked."""
    with pytest.raises(RelationsRefused) as refusal:
        answer(relations, user, relation, object)
    assert names in str(refusal.value)
    assert "cannot be answered" in str(refusal.value)


def test_one_unanswerable_question_leaves_none_answered(relations):
    """A batch is answered whole or not at all."""
    good = asked("user:work/1", "owner", "repository:work/12")
    with pytest.raises(RelationsRefused):
        answers(relations, good, asked("user:work/1", "admin", "repository:work/12"))


def test_a_condition_without_its_parameter_refuses_instead_of_saying_no(relations):
    """Unknown is not false: under `but not` a false would allow."""
    assert answer(relations, "user:work/3", "owner", "repository:work/14")
    with pytest.raises(RelationsRefused, match="end"):
        answer(relations, "user:work/3", "approver", "repository:work/14")


def test_more_questions_than_a_judgement_may_ask_are_refused(relations):
    """501 questions are not a batch of a judgement."""
    questions = [asked(f"user:{n}", "owner", "repository:1") for n in range(MOST_QUESTIONS + 1)]
    with pytest.raises(RelationsRefused, match="500"):
        answers(relations, *questions)


def test_given_tuples_count_for_questions_about_their_object_and_no_others(relations):
    """They are followed like stored ones, beside which they stand; what nobody gave is as it was."""
    given = {
        "repository:work/20": [a_tuple("repository:work/20#owner@team:core#member"), a_tuple("repository:work/20#blocked@user:work/1")]
    }
    questions = [
        asked("user:work/1", "owner", "repository:work/20"),
        asked("user:work/1", "approver", "repository:work/20"),
        asked("user:work/1", "owner", "repository:work/21"),
        asked("user:work/1", "approver", "repository:work/12"),
    ]
    answered = asyncio.run(relations.answers(questions, at=NOON, given=given))
    assert [answered[question] for question in questions] == [True, False, False, True]
    assert answer(relations, "user:work/1", "owner", "repository:work/20") is False


@pytest.mark.parametrize(
    ("tuples", "why"),
    [
        ([f"repository:work/20#owner@user:{n}" for n in range(101)], "101 tuples would have to go along with it, at most 100 may"),
        (["repository:work/20#owner@repository:work/1"], "repository"),
    ],
    ids=["more than a question takes", "not allowed by the model"],
)
def test_given_tuples_that_cannot_count_refuse_instead_of_saying_no(relations, tuples, why):
    """Left out, they would make an answer of what was not known."""
    given = {"repository:work/20": [a_tuple(one) for one in tuples]}
    with pytest.raises(RelationsRefused, match=why) as refusal:
        asyncio.run(relations.answers([asked("user:work/1", "owner", "repository:work/20")], at=NOON, given=given))
    assert "cannot be answered" in str(refusal.value)


def test_answers_are_explained_from_the_object_to_the_user(relations):
    """Through teams, past a `but not`, with a condition that holds and with a given tuple; a no has nothing to explain."""
    given = {"repository:work/20": [a_tuple("repository:work/20#owner@team:core#member")]}
    through = "team:core#member is owner of repository:work/{}, and member of team:core counts"
    yes = {
        asked("user:work/1", "approver", "repository:work/12"): (
            "being owner of repository:work/12 is enough",
            through.format(12),
            "user:work/1 is member of team:core",
            "and nothing that would take it away applies",
        ),
        asked("user:work/2", "owner", "repository:work/12"): ("user:work/2 is owner of repository:work/12 (the condition until holds)",),
        asked("user:work/1", "owner", "repository:work/20"): (through.format(20), "user:work/1 is member of team:core"),
    }
    no = [
        asked("user:work/1", "approver", "repository:work/13"),
        asked("user:work/3", "approver", "repository:work/14"),
        asked("user:work/1", "admin", "repository:work/12"),
        asked("user:a b", "owner", "repository:work/12"),
    ]
    assert asyncio.run(relations.reasons([*yes, *no], at=NOON, given=given)) == yes


def test_who_is_related_is_named_up_to_a_number(relations):
    """Users, not the sets they are in, with whom a given tuple adds; more than are wanted are said to be there."""

    def who(object, at=NOON, most=10, given=None):
        found = asyncio.run(relations.who("owner", object, at=at, most=most, given=given or {}))
        return found.names, found.complete

    assert who("repository:work/12") == (("user:work/1", "user:work/2"), True)
    assert who("repository:work/12", at=NOON.replace(hour=14)) == (("user:work/1",), True)
    assert who("repository:work/12", most=1) == (("user:work/1",), False)
    assert who("repository:work/20", given={"repository:work/20": [a_tuple("repository:work/20#owner@user:work/7")]}) == (
        ("user:work/7",),
        True,
    )
    with pytest.raises(RelationsRefused, match="planet"):
        who("planet:1")
