"""Conditions: what values become, what is an answer, and what refuses to be one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.relations.conditions import INLINE, MOST_ROUNDS, CompiledCondition, inline_condition, written_type
from policies.relations.dsl import parse_model
from policies.relations.evaluator import Evaluator
from policies.relations.model import Condition
from policies.relations.parameters import duration, in_cidr, typed
from policies.relations.refusals import ConditionFailed, ModelRefused
from policies.relations.tuples import RelationshipTuple

NOON = "2026-05-04T12:00:00Z"


def a_condition(expression, **parameters):
    kinds = {name: written_type(kind) for name, kind in parameters.items()}
    return CompiledCondition(Condition(name="c", parameters=kinds, expression=expression))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", 5, 5),
        ("int", 5.0, 5),
        ("int", "5", 5),
        ("int", "1e3", 1000),
        ("int", -(2**63), -(2**63)),
        ("uint", "7", 7),
        ("double", 1, 1.0),
        ("double", "1.5", 1.5),
        ("bool", True, True),
        ("string", "5", "5"),
        ("any", 5, 5.0),
        ("any", [1, {"a": True}], [1.0, {"a": True}]),
        ("timestamp", NOON, datetime(2026, 5, 4, 12, tzinfo=UTC)),
        ("timestamp", "2026-05-04T14:00:00.5+02:00", datetime(2026, 5, 4, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("duration", "1h30m", timedelta(hours=1, minutes=30)),
        ("duration", "-1.5s", timedelta(seconds=-1.5)),
        ("duration", "0", timedelta()),
        ("ipaddress", "192.168.0.1", "192.168.0.1"),
        ("ipaddress", "::ffff:192.168.0.1", "192.168.0.1"),
        ("ipaddress", "2001:DB8::1", "2001:db8::1"),
        ("list<int>", ["1", 2], [1, 2]),
        ("map<string>", {"a": "b"}, {"a": "b"}),
    ],
)
def test_a_value_becomes_what_its_parameter_declares(kind, value, expected):
    """Conversions are the server's: numbers may come as text, times and addresses do."""
    found = typed(value, written_type(kind))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 1.5),
        ("int", True),
        ("int", "five"),
        ("int", ""),
        ("int", None),
        ("int", 2**63),
        ("int", "1e400"),
        ("int", "1e999999999"),
        ("int", "nan"),
        ("int", "inf"),
        ("uint", -1),
        ("double", "1e400"),
        ("double", "nan"),
        ("double", [1]),
        ("bool", "true"),
        ("bool", 1),
        ("string", 5),
        ("timestamp", "2026-05-04"),
        ("timestamp", "2026-05-04 12:00:00Z"),
        ("timestamp", "2026-05-04T12:00:00"),
        ("timestamp", "2026-13-04T12:00:00Z"),
        ("timestamp", 0),
        ("duration", "1"),
        ("duration", "1 h"),
        ("duration", "1d"),
        ("duration", ""),
        ("duration", "9" * 30 + "h"),
        ("ipaddress", "256.0.0.1"),
        ("ipaddress", "example.org"),
        ("ipaddress", 5),
        ("list<int>", 5),
        ("list<int>", ["a"]),
        ("map<int>", [1]),
        ("map<int>", {"a": "b"}),
    ],
)
def test_a_value_of_another_kind_refuses(kind, value):
    """Nothing is guessed from a value that does not fit, and the refusal is not a no."""
    with pytest.raises(ConditionFailed):
        a_condition("x == x", x=kind).holds({"x": value})


@pytest.mark.parametrize(
    ("expression", "parameters", "context", "expected"),
    [
        ("x < 10", {"x": "int"}, {"x": 9}, True),
        ("x < 10", {"x": "int"}, {"x": "10"}, False),
        ("now < end", {"now": "timestamp", "end": "timestamp"}, {"now": NOON, "end": "2026-05-04T12:00:01Z"}, True),
        (
            "now < start + long",
            {"now": "timestamp", "start": "timestamp", "long": "duration"},
            {"now": NOON, "start": NOON, "long": "1s"},
            True,
        ),
        ("ip.in_cidr(net)", {"ip": "ipaddress", "net": "string"}, {"ip": "10.1.2.3", "net": "10.0.0.0/8"}, True),
        ("ip.in_cidr(net)", {"ip": "ipaddress", "net": "string"}, {"ip": "11.1.2.3", "net": "10.0.0.0/8"}, False),
        ("ip == ipaddress('10.0.0.1')", {"ip": "ipaddress"}, {"ip": "::ffff:10.0.0.1"}, True),
        ("who in list", {"who": "string", "list": "list<string>"}, {"who": "a", "list": ["a", "b"]}, True),
        ("map['k'] == 'v'", {"map": "map<string>"}, {"map": {"k": "v"}}, True),
        ("list.exists(y, y > 2)", {"list": "list<int>"}, {"list": [1, 2, 3]}, True),
        ("x == 1", {"x": "int"}, {"x": 1, "unknown": object()}, True),
    ],
)
def test_a_condition_holds_or_does_not(expression, parameters, context, expected):
    """CEL over typed values; keys nobody declared are ignored."""
    assert a_condition(expression, **parameters).holds(context) is expected


@pytest.mark.parametrize(
    ("expression", "parameters", "context"),
    [
        ("x < 10 || true", {"x": "int"}, {}),
        ("x == 1 || y == 1", {"x": "int", "y": "int"}, {"x": 1}),
        ("map['k'] == 'v'", {"map": "map<string>"}, {"map": {}}),
        ("list[3] == 1", {"list": "list<int>"}, {"list": [1]}),
        ("10 / x == 1", {"x": "int"}, {"x": 0}),
        ("x + 1 > 0", {"x": "int"}, {"x": 2**63 - 1}),
        ("x", {"x": "int"}, {"x": 1}),
        ("x > 'a'", {"x": "int"}, {"x": 1}),
        ("x.matches('[')", {"x": "string"}, {"x": "a"}),
        ("ip.in_cidr('10.0.0.0')", {"ip": "ipaddress"}, {"ip": "10.0.0.1"}),
        ("ip.in_cidr('10.0.0.0/99')", {"ip": "ipaddress"}, {"ip": "10.0.0.1"}),
        ("unknown(x)", {"x": "int"}, {"x": 1}),
    ],
)
def test_a_condition_without_an_answer_refuses(expression, parameters, context):
    """A missing parameter refuses even where || could decide; so does whatever goes wrong in CEL, and an answer that is no truth value."""
    with pytest.raises(ConditionFailed):
        a_condition(expression, **parameters).holds(context)


@pytest.mark.parametrize("expression", ["", "x ==", "x == 1 &&", "y == 1", "x == y", "[1].exists(z, z == w)"])
def test_an_expression_that_is_not_cel_over_its_parameters_is_refused_with_the_model(expression):
    """Bad syntax and undeclared names are found when the model is read."""
    with pytest.raises(ModelRefused):
        a_condition(expression, x="int")


def test_loops_within_loops_over_long_lists_are_not_begun():
    """What could hold up the gateway refuses; the same loops over short lists are evaluated."""
    condition = a_condition("list.all(a, list.all(b, a + b >= 0))", list="list<int>")
    assert condition.holds({"list": list(range(10))}) is True
    with pytest.raises(ConditionFailed, match="go round"):
        condition.holds({"list": list(range(MOST_ROUNDS // 50))})


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_an_address_is_in_its_own_network_in_either_notation(address, bits):
    """IPv4 written as IPv6 is the same address and the same network."""
    assert in_cidr(str(address), f"{address}/{bits}")
    assert in_cidr(str(address), f"::ffff:{address}/{bits + 96}")


@given(st.timedeltas(timedelta(days=-30_000), timedelta(days=30_000)))
def test_a_duration_is_read_as_go_writes_it(value):
    """Microseconds carry any duration there and back."""
    assert duration(f"{value // timedelta(microseconds=1)}us") == value


def test_a_tuples_own_values_go_before_the_questions():
    """Nobody who asks can overrule what was written with the tuple."""
    model = parse_model("""
model
  schema 1.1
type user
type team
  relations
    define member: [user with until]
condition until(now: int, end: int) {
  now < end
}
""")
    one = RelationshipTuple(object="team:1", relation="member", user="user:1", condition="until", context={"end": 10})
    evaluator = Evaluator(model, [one])
    assert evaluator.proof("user:1", "member", "team:1", context={"now": 9, "end": 1})
    assert evaluator.proof("user:1", "member", "team:1", context={"now": 11, "end": 99}) is None


INLINE_MODEL = parse_model("model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user with $expression]")


def test_a_tuple_may_bring_its_own_condition():
    """An `$expression` is compiled from the tuple, evaluated with the question's context, its free names texts unless declared."""
    one = RelationshipTuple(
        object="team:1",
        relation="member",
        user="user:1",
        condition=INLINE,
        context={"expression": "env == 'prod' && size(list) == 1", "parameters": {"list": "list<int>"}},
    )
    evaluator = Evaluator(INLINE_MODEL, [one])
    assert evaluator.proof("user:1", "member", "team:1", context={"env": "prod", "list": [1]})
    assert not evaluator.proof("user:1", "member", "team:1", context={"env": "test", "list": [1]})
    with pytest.raises(ConditionFailed, match="env"):
        evaluator.proof("user:1", "member", "team:1", context={"list": [1]})


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"expression": ""},
        {"expression": "x =="},
        {"expression": "x == 1", "parameters": {"x": "map"}},
        {"expression": "true", "parameters": []},
    ],
)
def test_a_tuple_with_a_broken_condition_of_its_own_is_not_allowed(context):
    """It is refused where it is written, and does not count where it is read."""
    with pytest.raises(ModelRefused):
        inline_condition(context)
    one = RelationshipTuple(object="team:1", relation="member", user="user:1", condition=INLINE, context=context)
    evaluator = Evaluator(INLINE_MODEL, [one])
    assert evaluator.model.why_not(one)
    assert evaluator.proof("user:1", "member", "team:1") is None
