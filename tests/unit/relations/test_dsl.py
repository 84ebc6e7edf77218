"""The modelling language: what is read, where a refusal points, and that no text does anything else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.relations.dsl import DEEPEST_NESTING, LARGEST_MODEL, parse_model, parse_module
from policies.relations.dsl_text import written
from policies.relations.json_form import model_from_json, model_to_json
from policies.relations.model import Computed, Difference, Direct, Intersection, Position, Restriction, TupleToUserset, Union
from policies.relations.refusals import ModelRefused
from tests.contract.relations.worlds import random_model

HEAD = "model\n  schema 1.1\ntype user\ntype team\n  relations\n"


def rewrite_of(definition):
    """The rewrite of `define r: <definition>`."""
    return parse_model(f"{HEAD}    define r: {definition}").types["team"].relations["r"].rewrite


def refused_at(text):
    """Line and column of the first problem of a text that is refused."""
    with pytest.raises(ModelRefused) as refusal:
        parse_model(text)
    at = refusal.value.problems[0].at
    return at.line, at.column


A, B, C = (Computed(relation=name) for name in "abc")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("[user]", Direct()),
        ("a", A),
        ("a from b", TupleToUserset(computed="a", tupleset="b")),
        ("a or b or c", Union(children=(A, B, C))),
        ("a and b and c", Intersection(children=(A, B, C))),
        ("a but not b", Difference(base=A, subtract=B)),
        ("a or (b and c)", Union(children=(A, Intersection(children=(B, C))))),
        ("(a or b) but not c", Difference(base=Union(children=(A, B)), subtract=C)),
        ("((a))", A),
        ("[user] or a from b", Union(children=(Direct(), TupleToUserset(computed="a", tupleset="b")))),
        ("  a   or\tb  ", Union(children=(A, B))),
        ("a # a comment", A),
        ("or_else", Computed(relation="or_else")),
        ("but", Computed(relation="but")),
    ],
)
def test_a_definition_is_read_as_it_is_meant(definition, expected):
    """Operators, parentheses, blanks and comments."""
    assert rewrite_of(definition) == expected


def test_users_are_read_with_wildcard_userset_and_condition():
    """Everything a restriction can say, over several lines."""
    users = "[user, user:*,\n      team#r, user with c, team#r with $expression]"
    model = parse_model(f"{HEAD}    define r: {users}\ncondition c(x: list<int>) {{\n  x == [1]\n}}")
    assert model.types["team"].relations["r"].restrictions == (
        Restriction(type="user"),
        Restriction(type="user", wildcard=True),
        Restriction(type="team", relation="r"),
        Restriction(type="user", condition="c"),
        Restriction(type="team", relation="r", condition="$expression"),
    )


def test_a_condition_is_read_to_its_closing_brace():
    """Braces in strings and maps belong to the expression."""
    model = parse_model('model\n  schema 1.1\ntype user\ncondition c(x: string, y: map<string>) {\n  x == "}" && y == {"a": x}\n}\n')
    assert model.conditions["c"].expression == 'x == "}" && y == {"a": x}'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", (1, 1)),
        ("type user", (1, 1)),
        ("model\n  schema 2", (2, 10)),
        (f"{HEAD}    define r: a or b and c", (6, 21)),
        (f"{HEAD}    define r: a but not b but not c", (6, 26)),
        (f"{HEAD}    define r: a or [user]", (6, 20)),
        (f"{HEAD}    define r:", (6, 14)),
        (f"{HEAD}    define r: (a or b", (6, 22)),
        (f"{HEAD}    define r: [user", (6, 20)),
        (f"{HEAD}    define r: [user:1]", (6, 21)),
        (f"{HEAD}    define define: a", (6, 12)),
        (f"{HEAD}    define r: a\n    define r: b", (7, 12)),
        (f"{HEAD}  define r a", (6, 12)),
        (f"{HEAD}    define r: ä", (6, 15)),
        (f"{HEAD}    define r: [user]\ncondition c(x: int) {{\n  x > 1", (8, 8)),
        (f"{HEAD}    define r: [user]\ncondition c(x: integer) {{\n}}", (7, 16)),
        (f"{HEAD}    define r: [user]\ncondition c(x: int) {{\n x\n}}\ntype late", (10, 1)),
        ("module a\ntype user", (1, 1)),
    ],
)
def test_a_refusal_points_at_line_and_column(text, place):
    """What is not the language is refused where it stops being it."""
    assert refused_at(text) == place


def test_a_windows_text_has_the_same_places():
    """Carriage returns are no columns."""
    assert refused_at(f"{HEAD}    define r: a or b and c".replace("\n", "\r\n")) == (6, 21)


def test_a_place_in_a_module_names_the_file():
    """With several files the file is part of the place."""
    with pytest.raises(ModelRefused) as refusal:
        parse_module("module core\ntype user\n  define x: y", "core.fga")
    assert refusal.value.problems[0].at == Position(line=3, column=3, file="core.fga")
    assert "core.fga, line 3, column 3" in str(refusal.value)


def test_parentheses_have_a_depth_and_a_text_a_size():
    """Neither a tower of parentheses nor a huge text reaches the interpreter's limits."""
    inner = "(" * DEEPEST_NESTING + "a" + ")" * DEEPEST_NESTING
    assert rewrite_of(inner) == A
    assert refused_at(f"{HEAD}    define r: ({inner})")[0] == 6
    assert refused_at(f"{HEAD}    define r: " + "(" * 100_000)[0] == 6
    with pytest.raises(ModelRefused, match="at most"):
        parse_model(HEAD + "#" * LARGEST_MODEL)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_model_is_the_same_after_writing_and_reading(seed):
    """DSL and JSON both carry a model through unchanged."""
    model = random_model(random.Random(seed))
    assert model_from_json(model_to_json(model)) == model
    text = written(model)
    assert written(parse_model(text)) == text


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_text_is_read_or_refused_with_a_place(seed, data):
    """Whatever is cut out of or put into a model: a model, or a refusal that says where. Nothing else."""
    text = written(random_model(random.Random(seed)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    damaged = text[:start] + data.draw(st.text("()[]:#*,{}<>. \n\tabdefortypwihmn\x00ä\"'", max_size=6)) + text[end:]
    problems = ()
    try:
        parse_model(damaged)
    except ModelRefused as refusal:
        problems = refusal.problems
    assert all(problem.at for problem in problems)
