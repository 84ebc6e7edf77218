"""What a check means, beyond the official matrix: its algebra, its proofs, its bounds."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.errors import RelationsRefused
from policies.relations.check import MOST_BELOW
from policies.relations.dsl import parse_model
from policies.relations.evaluator import Evaluator
from policies.relations.model import Difference, Intersection, Union
from policies.relations.proof import sentences, tuples
from policies.relations.refusals import ConditionFailed, ModelRefused, QuestionRefused, TooDeep
from policies.relations.sound_model import SoundModel
from policies.relations.store_file import tuple_from_json
from tests.contract.relations.worlds import random_model, random_question, random_tuples
from tests.unit.relations.test_tuples import a_tuple

HEAD = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, user:*, team#member]\n"


def evaluator(text, *written):
    return Evaluator(parse_model(HEAD + text), [a_tuple(one) for one in written])


def world(seed, count=25):
    """A random sound model, its tuples, and the chance to go on with."""
    chance = random.Random(seed)
    while True:
        model = random_model(chance)
        try:
            SoundModel(model)
        except ModelRefused:
            continue
        return chance, model, [tuple_from_json(one) for one in random_tuples(chance, model, count)]


def a_check(chance, model):
    while True:
        asked = random_question(chance, model)
        if asked.kind == "check":
            return asked


def of(check, asked):
    """True, False, or None for a refusal."""
    try:
        return check.proof(asked.relation, asked.object) is not None
    except RelationsRefused:
        return None


def answer(model, written, asked):
    """The same, by an evaluator of its own."""
    return of(Evaluator(model, written).check(asked.user, context=asked.context), asked)


def mapped(rewrite, change):
    """The rewrite with each operator's operands changed."""
    match rewrite:
        case Union(children=children):
            return Union(children=change(tuple(mapped(child, change) for child in children)))
        case Intersection(children=children):
            return Intersection(children=change(tuple(mapped(child, change) for child in children)))
        case Difference(base=base, subtract=subtract):
            return Difference(base=mapped(base, change), subtract=mapped(subtract, change))
        case _:
            return rewrite


def with_relations(model, change):
    """The model with every relation changed."""
    types = {
        name: replace(definition, relations={key: change(one) for key, one in definition.relations.items()})
        for name, definition in model.types.items()
    }
    return replace(model, types=types)


@given(st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_the_order_of_operands_and_of_tuples_does_not_matter(seed):
    """`or` and `and` commute, and so do tuples; refusals included."""
    chance, model, written = world(seed)
    turned = with_relations(model, lambda one: replace(one, rewrite=mapped(one.rewrite, lambda operands: operands[::-1])))
    for _ in range(10):
        asked = a_check(chance, model)
        expected = answer(model, written, asked)
        assert answer(turned, written[::-1], asked) is expected, asked


@given(st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_one_check_asked_many_things_answers_like_many_checks(seed):
    """What is kept between two questions about a user changes no answer."""
    chance, model, written = world(seed)
    ready = Evaluator(model, written)
    user = a_check(chance, model).user
    check = ready.check(user)
    for _ in range(20):
        asked = a_check(chance, model)
        assert of(check, asked) is of(ready.check(user), asked), asked


def positive(model):
    """The model without anything taken away: `a but not b` becomes `a and b`; users bring no conditions."""

    def both(rewrite):
        match rewrite:
            case Union(children=children):
                return Union(children=tuple(both(child) for child in children))
            case Intersection(children=children):
                return Intersection(children=tuple(both(child) for child in children))
            case Difference(base=base, subtract=subtract):
                return Intersection(children=(both(base), both(subtract)))
            case _:
                return rewrite

    return with_relations(
        model,
        lambda one: replace(one, rewrite=both(one.rewrite), restrictions=tuple(replace(user, condition=None) for user in one.restrictions)),
    )


@given(st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_the_tuples_of_a_proof_alone_prove_it(seed):
    """Where nothing is taken away, a proof rests on its own tuples and on no other."""
    chance, model, written = world(seed)
    model, written = positive(model), [replace(one, condition=None, context={}) for one in written]
    for _ in range(20):
        asked = a_check(chance, model)
        proof = Evaluator(model, written).proof(asked.user, asked.relation, asked.object)
        if proof is not None:
            needed = list(tuples(proof))
            assert set(needed) <= set(written)
            assert answer(model, needed, asked), asked


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_more_tuples_never_take_a_yes_back(seed):
    """Where nothing is taken away, who is related stays related whatever is added."""
    chance, model, written = world(seed)
    model, written = positive(model), [replace(one, condition=None, context={}) for one in written]
    for _ in range(20):
        asked = a_check(chance, model)
        if answer(model, written[: len(written) // 2], asked):
            assert answer(model, written, asked), asked


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_looking_from_below_and_from_above_agree(seed):
    """What a user reaches and what an object is reached from are one relation, refusals and circles included."""
    chance, model, written = world(seed, count=40)
    ready = Evaluator(model, written)
    for _ in range(20):
        asked = a_check(chance, model)
        either, above = (of_either(ready, asked, most) for most in (MOST_BELOW, -1))
        assert either is above, asked


def of_either(ready, asked, most):
    """The answer, when a user may reach so many places before looking from above is tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policies.relations.check.MOST_BELOW", most)
        return of(ready.check(asked.user, context=asked.context), asked)


def test_a_proof_from_below_reads_like_one_from_above():
    """Teams within teams: the sentences lead from the question to the user whichever end was looked from."""
    ready = evaluator(
        "type repository\n relations\n  define owner: [team#member]",
        "repository:1#owner@team:all#member",
        "team:all#member@team:core#member",
        "team:core#member@user:ana",
    )
    with pytest.MonkeyPatch.context() as patch:
        from_below = sentences(ready.proof("user:ana", "owner", "repository:1"))
        patch.setattr("policies.relations.check.MOST_BELOW", -1)
        assert sentences(ready.proof("user:ana", "owner", "repository:1")) == from_below
    assert from_below == [
        "team:all#member is owner of repository:1, and member of team:all counts",
        "team:core#member is member of team:all, and member of team:core counts",
        "user:ana is member of team:core",
    ]


def test_a_proof_is_told_from_the_object_to_the_user():
    """The sentences a page shows: which tuples lead from the question to the answer."""
    ready = evaluator(
        "type repository\n relations\n  define owner: [team#member]\n  define blocked: [user]\n  define approver: owner but not blocked",
        "repository:acme/app#owner@team:core#member",
        "team:core#member@user:ana",
    )
    assert sentences(ready.proof("user:ana", "approver", "repository:acme/app")) == [
        "being owner of repository:acme/app is enough",
        "team:core#member is owner of repository:acme/app, and member of team:core counts",
        "user:ana is member of team:core",
        "and nothing that would take it away applies",
    ]


def test_everybody_of_a_type_includes_each():
    """`user:*` gives the relation to every user, and to the question whether everybody has it."""
    ready = evaluator("", "team:all#member@user:*")
    for user in ("user:ana", "user:*"):
        assert sentences(ready.proof(user, "member", "team:all")) == ["every user is member of team:all"]
    assert ready.proof("team:1#member", "member", "team:all") is None


def test_every_userset_has_its_own_relation():
    """`team:1#member` is member of team:1 without any tuple."""
    assert sentences(evaluator("").proof("team:1#member", "member", "team:1")) == ["team:1#member is member of team:1"]


def test_tuples_the_model_no_longer_allows_do_not_count():
    """A stored tuple from an older model is ignored, not an error."""
    ready = evaluator(
        "type repository\n relations\n  define owner: [team#member]", "repository:1#owner@user:ana", "repository:1#gone@user:ana"
    )
    assert ready.proof("user:ana", "owner", "repository:1") is None
    stale = [
        a_tuple("team:1#member@user:ana", "gone", x=1),
        a_tuple("team:2#member@team:1#member", "gone"),
        a_tuple("team:3#member@team:1"),
    ]
    old = Evaluator(parse_model(HEAD), stale)
    assert all(old.proof("user:ana", "member", f"team:{n}") is None for n in (1, 2, 3))
    assert old.objects("user:ana", "member", "team").names == ()
    assert old.users("team:1", "member", "user").names == ()


def test_a_circle_of_teams_ends_and_hides_nobody():
    """Teams that are members of each other: members are found, others are not, and it ends."""
    circle = [f"team:{n}#member@team:{(n + 1) % 5}#member" for n in range(5)]
    ready = evaluator("", *circle, "team:3#member@user:ana")
    assert ready.proof("user:ana", "member", "team:0")
    assert ready.proof("user:bob", "member", "team:0") is None


def test_a_circle_under_but_not_means_no():
    """Who is blocked by nothing but a circle is not let through."""
    text = "type repository\n relations\n  define owner: [user]\n  define blocked: [team#member]\n  define approver: owner but not blocked"
    written = ["repository:1#owner@user:ana", "repository:1#blocked@team:1#member"]
    assert evaluator(text, *written).proof("user:ana", "approver", "repository:1")
    circle = ["team:1#member@team:2#member", "team:2#member@team:1#member"]
    check = evaluator(text, *written, *circle).check("user:ana")
    assert check.proof("approver", "repository:1") is None
    assert check.went_round


def test_a_fault_matters_only_where_nothing_else_decides():
    """An unknown condition beside a plain yes is forgotten; alone it refuses, also where it would take away."""
    text = """
type repository
  relations
    define owner: [user, user with told, team#member with told]
    define blocked: [user with told]
    define approver: owner but not blocked
condition told(x: int) {
  x == 1
}
"""
    plain, unknown = a_tuple("repository:1#owner@user:ana"), a_tuple("repository:2#owner@user:ana", "told")
    over, team = a_tuple("repository:1#owner@team:1#member", "told"), a_tuple("team:1#member@user:bob")
    blocked = a_tuple("repository:1#blocked@user:ana", "told")
    model = parse_model(HEAD + text)
    assert Evaluator(model, [plain, over]).proof("user:ana", "owner", "repository:1")
    for written, user, relation, object in [
        ([unknown], "user:ana", "owner", "repository:2"),
        ([over, team], "user:bob", "owner", "repository:1"),
        ([plain, blocked], "user:ana", "approver", "repository:1"),
    ]:
        with pytest.raises(ConditionFailed, match="needs a value for x"):
            Evaluator(model, written).proof(user, relation, object)
    assert Evaluator(model, [plain, blocked]).proof("user:ana", "approver", "repository:1", context={"x": 2})


def test_a_branch_that_cannot_lead_to_this_kind_of_user_is_no_fault():
    """A condition nobody could answer does not matter to a user whom the relation could never reach through it."""
    text = """
type robot
type crew
  relations
    define member: [robot]
type machine
  relations
    define operator: [crew#member with told]
    define keeper: [user] or operator
condition told(x: int) {
  x == 1
}
"""
    written = [a_tuple("machine:1#operator@crew:1#member", "told"), a_tuple("machine:1#keeper@user:ana")]
    ready = Evaluator(parse_model(HEAD + text), written)
    assert ready.proof("user:bob", "keeper", "machine:1") is None
    with pytest.raises(ConditionFailed):
        ready.proof("robot:1", "keeper", "machine:1")


def test_a_context_too_large_or_too_deep_is_refused():
    """Values for conditions have the server's size, and a tower of lists is no way round it."""
    tower = []
    for _ in range(100_000):
        tower = [tower]
    for context in ({"x": "a" * 40_000}, {"x": tower}):
        with pytest.raises(QuestionRefused):
            evaluator("").proof("user:ana", "member", "team:1", context=context)


@pytest.mark.parametrize("end", ["below", "above"])
@pytest.mark.parametrize("value", [1, 2])
def test_a_step_whose_condition_does_not_hold_leads_nowhere(end, value, monkeypatch):
    """Through folders within folders and groups within groups, from whichever end they are followed."""
    monkeypatch.setattr("policies.relations.check.MOST_BELOW", MOST_BELOW if end == "below" else -1)
    text = """
type folder
  relations
    define parent: [folder with told]
    define group: [user, folder#group with told]
    define viewer: [user] or viewer from parent
condition told(x: int) {
  x == 1
}
"""
    written = [
        a_tuple("folder:1#parent@folder:2", "told", x=value),
        a_tuple("folder:2#viewer@user:ana"),
        a_tuple("folder:1#group@folder:2#group", "told", x=value),
        a_tuple("folder:2#group@user:ana"),
    ]
    ready = Evaluator(parse_model(HEAD + text), written)
    for relation in ("viewer", "group"):
        assert (ready.proof("user:ana", relation, "folder:1") is not None) is (value == 1)
        assert ready.proof("user:ana", relation, "folder:2")


def test_a_maze_of_teams_is_searched_once():
    """Twenty teams, all members of each other: who is in one is in all, who is in none is in none, and it takes no time to tell."""
    maze = [f"team:{a}#member@team:{b}#member" for a in range(20) for b in range(20) if a != b]
    ready = evaluator("", *maze, "team:13#member@user:ana")
    assert all(ready.proof("user:ana", "member", f"team:{n}") for n in range(20))
    assert ready.proof("user:nobody", "member", "team:0") is None


def test_a_search_without_end_is_refused():
    """Under `and` every way round may matter; what takes more steps than are allowed is a refusal, never an answer."""
    text = "type group\n relations\n  define a: [user, group#b]\n  define b: [user, group#a] and a"
    maze = [f"group:{x}#{r}@group:{y}#{s}" for x in range(12) for y in range(12) for r, s in ("ab", "ba") if x != y]
    with pytest.raises(TooDeep, match="steps"):
        evaluator(text, *maze).proof("user:nobody", "a", "group:0")
