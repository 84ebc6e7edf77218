"""Questions of a judgement, answered in process from a store file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import Question
from policies.relations.absent import NoRelations
from policies.relations.asking import MOST_QUESTIONS
from policies.relations.dsl import parse_model
from policies.relations.local import LocalRelations
from policies.relations.tuples import RelationshipTuple, TupleIndex

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

STORE = """
name: acme
model: |
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
tuples:
  - {user: "user:work/1", relation: member, object: "team:core"}
  - {user: "team:core#member", relation: owner, object: "repository:work/12"}
  - {user: "user:work/2", relation: owner, object: "repository:work/12", condition: {name: until, context: {end: "2026-05-04T13:00:00Z"}}}
  - {user: "user:work/1", relation: blocked, object: "repository:work/13"}
  - {user: "team:core#member", relation: owner, object: "repository:work/13"}
"""


def asked(user, relation, object):
    return Question(user=user, relation=relation, object=object)


def answers(relations, *questions, at=NOON):
    return asyncio.run(relations.answers(questions, at=at))


def answer(relations, user, relation, object, at=NOON):
    question = asked(user, relation, object)
    return answers(relations, question, at=at)[question]


def test_a_store_file_answers_questions():
    """Model, tuples and conditions of one file, at the judgement's time."""
    relations = LocalRelations.from_store_file(STORE)
    assert answer(relations, "user:work/1", "approver", "repository:work/12") is True
    assert answer(relations, "user:work/1", "approver", "repository:work/13") is False
    assert answer(relations, "user:work/2", "owner", "repository:work/12") is True
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=NOON.replace(hour=13)) is False


def test_an_answer_given_before_is_given_again_only_while_it_is_one():
    """For one state of the tuples, for one second where one of them has a condition, never for what one judgement brings along."""
    stored = list(LocalRelations.from_store_file(STORE).evaluator.tuples)
    index = TupleIndex(one for one in stored if one.condition is None)
    relations = LocalRelations(LocalRelations.from_store_file(STORE).evaluator.model, index)
    grant = RelationshipTuple(object="repository:work/12", relation="owner", user="user:work/3")
    asked_of_three = asked("user:work/3", "owner", "repository:work/12")

    def with_the_grant():
        return asyncio.run(relations.answers([asked_of_three], at=NOON, given={"repository:work/12": [grant]}))

    assert answers(relations, asked_of_three) == {asked_of_three: False}
    assert with_the_grant() == {asked_of_three: True}
    assert answers(relations, asked_of_three) == {asked_of_three: False}
    index.add(grant)
    assert answers(relations, asked_of_three) == {asked_of_three: True}
    index.discard(grant)
    assert answers(relations, asked_of_three) == {asked_of_three: False}
    for one in stored:
        index.add(one)
    last = NOON.replace(minute=59, second=59)
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=last) is True
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=NOON.replace(hour=13)) is False
    assert answer(relations, "user:work/2", "owner", "repository:work/12", at=last) is True


def test_an_answer_is_explained_and_who_could_help_is_named():
    """What a decision's page shows: the path for who did, and the names of who could, at the judgement's time."""
    relations = LocalRelations.from_store_file(STORE)
    yes, no = asked("user:work/1", "owner", "repository:work/12"), asked("user:work/9", "owner", "repository:work/12")
    assert asyncio.run(relations.reasons([yes, no], at=NOON)) == {
        yes: ("team:core#member is owner of repository:work/12, and member of team:core counts", "user:work/1 is member of team:core")
    }

    def who(at=NOON, most=10):
        return asyncio.run(relations.who("owner", "repository:work/12", at=at, most=most))

    assert who().names == ("user:work/1", "user:work/2")
    assert who(NOON.replace(hour=13)).names == ("user:work/1",)
    assert (who(most=1).names, who(most=1).complete) == (("user:work/1",), False)


def test_a_large_batch_lets_others_run():
    """Between questions the event loop gets its turn, so a judgement cannot hold up a webhook."""

    async def scene():
        relations = LocalRelations.from_store_file(STORE)
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await relations.answers([asked(f"user:{n}", "owner", "repository:1") for n in range(MOST_QUESTIONS)], at=NOON)
        task.cancel()
        return turns

    assert asyncio.run(scene()) >= MOST_QUESTIONS // 50


def test_answers_come_from_one_state_although_tuples_change_meanwhile():
    """A change between two questions of a batch starts the batch over; a batch that never settles is unavailable, not wrong."""

    async def scene(changes):
        index = TupleIndex([RelationshipTuple(object="team:1", relation="member", user="user:1")])
        model = parse_model("model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user]")
        relations = LocalRelations(model, index)
        first = asked("user:1", "member", "team:1")
        last = asked("user:1", "member", "team:2")
        batch = [first, *(asked(f"user:x{n}", "member", "team:1") for n in range(60)), last]

        async def writer():
            for n in range(changes):
                index.discard(RelationshipTuple(object=f"team:{1 + n % 2}", relation="member", user="user:1"))
                index.add(RelationshipTuple(object=f"team:{2 - n % 2}", relation="member", user="user:1"))
                await asyncio.sleep(0)

        answers, _ = await asyncio.gather(relations.answers(batch, at=NOON), writer())
        return answers[first], answers[last]

    assert asyncio.run(scene(1)) == (False, True)
    with pytest.raises(RelationsUnavailable):
        asyncio.run(scene(100))


def test_nothing_configured_refuses_and_says_what_to_do():
    """Without relations a question is refused with advice, and no question is no problem."""
    with pytest.raises(RelationsRefused, match="no relations are configured") as refusal:
        answer(NoRelations(), "user:1", "owner", "repository:1")
    assert "--relations" in refusal.value.advice
    assert answers(NoRelations()) == {}
