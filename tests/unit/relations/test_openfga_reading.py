"""Explaining a server's answers: the evaluator's own proofs, over no more tuples than it looks at, and over no more than is allowed."""

from __future__ import annotations

import asyncio
import random

from policies.errors import RelationsRefused
from policies.model import Question
from policies.relations.check import Check
from policies.relations.dsl import parse_model
from policies.relations.openfga.reading import MOST_READS, Explanation
from policies.relations.sound_model import SoundModel
from policies.relations.store_file import tuple_from_json
from policies.relations.tuples import TupleIndex
from tests.contract.relations.fuzzing import QUESTIONS, TUPLES, sound
from tests.contract.relations.worlds import random_model, random_question, random_tuples
from tests.unit.relations.test_tuples import a_tuple

TEAMS = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\n"


class Rows:
    """A server's store, in memory. reads: how often it was asked."""

    def __init__(self, tuples):
        self._index, self.reads = TupleIndex(tuples), 0

    async def tuples(self, row, *, most):
        self.reads += 1
        found = [one for one in self._index.written(row.object, row.relation) if row.user in (None, one.user)]
        return found if len(found) <= most else None


def explained(model, rows, user, relation, object, context=None):
    question = Question(user=user, relation=relation, object=object)
    return asyncio.run(Explanation(model, rows, context or {}).proof(question))


def checked(model, tuples, user, relation, object, context):
    return Check(model, TupleIndex(tuples), user, context).proof(relation, object)


def came_to(ask, *question):
    """Whether there is a proof, or by which refusal not."""
    try:
        return ask(*question) is not None
    except RelationsRefused as refusal:
        return type(refusal)


def test_an_explanation_agrees_with_a_check_over_all_tuples():
    """On random models, tuples and questions: read bit by bit, and from the object alone, it comes to the same."""
    chance, asked = random.Random(20), 0
    while asked < 300:
        model = random_model(chance)
        if not sound(model):
            continue
        ready, tuples = SoundModel(model), [tuple_from_json(one) for one in random_tuples(chance, model, TUPLES)]
        for one in (random_question(chance, model) for _ in range(QUESTIONS)):
            if one.kind == "check" and not one.contextual:
                asked += 1
                question = (one.user, one.relation, one.object, one.context)
                assert came_to(explained, ready, Rows(tuples), *question) == came_to(checked, ready, tuples, *question), one


def test_what_would_take_too_much_reading_is_not_explained():
    """A team of too many teams, or more rows than a page can wait for; who is in it directly is found by one look."""
    model = SoundModel(parse_model(TEAMS))
    wide = [a_tuple(f"team:all#member@team:{n}#member") for n in range(400)] + [a_tuple("team:all#member@user:ana")]
    assert explained(model, Rows(wide), "user:ben", "member", "team:all") is None
    rows = Rows(wide)
    assert explained(model, rows, "user:ana", "member", "team:all") is not None
    assert rows.reads == 1
    many = Rows([one for one in wide if one.user in {f"team:{n}#member" for n in range(250)}])
    assert explained(model, many, "user:ben", "member", "team:all") is None
    assert many.reads == MOST_READS
