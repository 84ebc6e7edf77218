"""Whether a model fits together: what is refused, where, and what is left alone."""

from __future__ import annotations

import pytest

from policies.relations.dsl import parse_model
from policies.relations.json_form import model_from_json
from policies.relations.refusals import ModelRefused
from policies.relations.sound_model import SoundModel
from policies.relations.soundness import problems

HEAD = "model\n  schema 1.1\ntype user\n"


def found(text):
    """Code and line of each problem."""
    return [(problem.code, problem.at.line) for problem in problems(parse_model(HEAD + text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type team\n relations\n  define r: [robot]", [("invalid-type", 6)]),
        ("type team\n relations\n  define r: [user#r]", [("invalid-relation-type", 6)]),
        ("type team\n relations\n  define r: s", [("missing-definition", 6)]),
        ("type team\n relations\n  define r: s from r\n  define p: [user]", [("tupleset-not-direct", 6)]),
        ("type team\n relations\n  define r: s from p", [("invalid-relation-type", 6)]),
        ("type team\n relations\n  define p: [user]\n  define r: s from p", [("invalid-relation-on-tupleset", 7)]),
        ("type team\n relations\n  define p: [team, team:*]\n  define r: [user] or r from p", [("tupleset-not-direct", 7)]),
        ("type team\n relations\n  define r: [user with c]", [("condition-not-defined", 6)]),
        ("type team\n relations\n  define a: b\n  define b: a", [("loop", 6), ("loop", 7)]),
        ("type team\n relations\n  define a: [user] or a", [("loop", 6)]),
        ("type team\n relations\n  define a: [team#a]", [("no-entry-point", 6)]),
        ("type team\n relations\n  define p: [team]\n  define a: a from p", [("no-entry-point", 7)]),
        ("type team\ntype team", [("duplicate", 4)]),
        ("type this", [("reserved-type", 4)]),
        ("type team\n relations\n  define self: [user]", [("reserved-relation", 6)]),
        ("type team\n relations\n  define r: [user, user]", [("repetition", 6)]),
        ("type team\n relations\n  define s: [user]\n  define r: s or s", [("repetition", 7)]),
        ("condition c(x: int) {\n x > 1\n}", [("condition-not-used", 4)]),
        ("type team\n relations\n  define a: [user, team#a]\n  define p: [team]\n  define b: a or b from p", []),
    ],
)
def test_each_problem_is_found_on_its_line(text, expected):
    """One model each, one thing wrong with it, or nothing."""
    assert found(text) == expected


def test_what_changes_no_answer_does_not_keep_a_model_from_being_used():
    """A repetition or an unused condition is a server's business neither; both are still reported."""
    model = parse_model(HEAD + "type team\n relations\n  define r: [user, user]\ncondition c(x: int) {\n x > 1\n}")
    assert {problem.code for problem in problems(model)} == {"repetition", "condition-not-used"}
    assert SoundModel(model).relation("team", "r")


def test_a_refusal_names_every_problem_with_its_place():
    """Nobody has to correct a model one run at a time."""
    with pytest.raises(ModelRefused) as refusal:
        SoundModel(parse_model(HEAD + "type team\n relations\n  define r: s\n  define t: [robot]"))
    assert "line 6, column 13: the type 'team' has no relation 's'" in str(refusal.value)
    assert "line 7, column 14: there is no type 'robot'" in str(refusal.value)


@pytest.mark.parametrize(
    ("users", "rewrite", "code"),
    [
        ([], {"this": {}}, "assignable"),
        ([{"type": "user"}], {"computedUserset": {"relation": "s"}}, "assignable"),
        ([{"type": "user"}], {"union": {"child": [{"this": {}}]}}, "invalid-rewrite"),
        ([{"type": "user", "relation": "r", "wildcard": {}}], {"this": {}}, "invalid-relation-type"),
        ([{"type": "team", "relation": "s", "wildcard": {}}], {"this": {}}, "invalid-restriction"),
    ],
)
def test_what_only_json_can_say_wrongly_is_refused_too(users, rewrite, code):
    """Users without a direct part, a direct part without users, operators of one, a restriction of two kinds."""
    metadata = {"relations": {"r": {"directly_related_user_types": users}, "s": {"directly_related_user_types": [{"type": "user"}]}}}
    team = {"type": "team", "relations": {"r": rewrite, "s": {"this": {}}}, "metadata": metadata}
    model = model_from_json({"schema_version": "1.1", "type_definitions": [{"type": "user"}, team]})
    assert code in {problem.code for problem in problems(model)}
    with pytest.raises(ModelRefused):
        SoundModel(model)


def test_a_dense_model_is_judged_in_linear_steps():
    """Forty relations, each following from two others: without memory of what is known this would not end."""
    lines = [f"  define r{n}: r{n + 1} or s{n + 1}\n  define s{n}: r{n + 1} or s{n + 1}" for n in range(40)]
    text = "type team\n relations\n" + "\n".join(lines) + "\n  define r40: [user]\n  define s40: [user]"
    assert found(text) == []


@pytest.mark.parametrize("schema", ["0.9", "1.0", "1.3", "2.0"])
def test_another_schema_is_refused_at_its_place(schema):
    """Only 1.1 and 1.2 are read."""
    [problem] = problems(parse_model(f"model\n  schema {schema}\ntype user"))
    assert (problem.code, problem.at.line, problem.at.column) == ("invalid-schema", 2, 10)
