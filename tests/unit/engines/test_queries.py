"""The texts engines evaluate: names, places, what is pinned where."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engines import PolicyQuery
from policies.engines.queries import components, dotted, nanoseconds, one_pass, reached_by, reference, walled
from policies.errors import EngineCrashed

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLOCK = frozenset({"time.now_ns"})


def a_query(package="merge.x", rules=("deny",), parameters=None):
    return PolicyQuery(package=package, rules=rules, parameters=parameters or {})


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_package_is_read_as_it_is_written(parts):
    """`dotted` and `components` are each other's inverse, whatever the names hold."""
    parts = ["root", *parts]
    assert components(dotted(parts)) == tuple(parts)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a b", "a-b", 'a["b"', "1a", "a[b]", "a;b", 'a["b"]; true'])
def test_what_is_no_package_is_refused(name):
    """Nothing but a package gets into a query's text."""
    with pytest.raises(ValueError, match="expected a Rego package"):
        components(name)


def test_a_reference_is_safe_for_any_name():
    """Quotes and brackets stay inside strings."""
    assert reference("merge.x", 'a"] or true') == 'data["merge"]["x"]["a\\"] or true"]'


def test_equal_parameters_are_written_into_the_document():
    """One level less to copy for every policy."""
    made = one_pass([a_query(parameters={"minimum": 1})], b'{"version": 1}', NOW, frozenset())
    assert made.text == (
        "answer := [[p0] |\n\tgiven := input\n\tdocument := given.document\n"
        '\t[p0] := [rules | rules := {"deny": [v | v := data["merge"]["x"]["deny"]]}] with input as document\n]'
    )
    assert json.loads(made.given)["document"] == {"version": 1, "parameters": {"minimum": 1}}


def test_different_parameters_are_put_in_policy_by_policy():
    """Whatever the document held under that name is gone."""
    made = one_pass([a_query("a", parameters={"n": 1}), a_query("b", parameters={"n": 2})], b'{"parameters": 1}', NOW, frozenset())
    assert '{"parameters": given.parameters[1]}' in made.text
    assert json.loads(made.given) == {"document": {"parameters": None}, "now": 1767312000000000000, "parameters": [{"n": 1}, {"n": 2}]}


def test_short_parameters_stand_in_the_text_of_an_engine_that_reads_it_once():
    """Then they are not given as well; as long as there is room for all of them, and Rego reads them as JSON does."""
    queries = [a_query("a", parameters={"n": 1}), a_query("b", parameters={"n": 2})]
    made = one_pass(queries, b"{}", NOW, frozenset(), in_text=16)
    assert '{"parameters": {"n": 2}}' in made.text
    assert json.loads(made.given)["parameters"] == []
    for others, room in ((queries, 15), ([*queries, a_query("c", parameters={"n": "\N{ZERO WIDTH NO-BREAK SPACE}"})], 1000)):
        made = one_pass(others, b"{}", NOW, frozenset(), in_text=room)
        assert made.text == one_pass(others, b"{}", NOW, frozenset()).text
        assert json.loads(made.given)["parameters"] == [dict(query.parameters) for query in others]


@pytest.mark.parametrize("size", [1, 10_000], ids=["remembered", "too large to be"])
def test_parameters_are_those_of_their_policy_however_many_were_written_before(size):
    """What comes and goes takes the place of others in memory, never their parameters."""
    for number in range(1500):
        parameters = {"number": number, "of": "x" * size}
        for _ in range(2):
            made = one_pass([a_query(parameters=parameters)], b"{}", NOW, frozenset())
            assert made.given.startswith(b'{"document":{"parameters":{"number": %d, "of": "x' % number)


def test_the_clock_is_pinned_where_it_can_be_read():
    """From what is given, not from the text."""
    assert "with time.now_ns as now" in one_pass([a_query()], b"{}", NOW, CLOCK).text
    assert "now" not in one_pass([a_query()], b"{}", NOW, frozenset()).text


def test_values_are_read_by_package():
    """An undefined rule is absent, a false or empty one is not."""
    made = one_pass([a_query("a", ("deny", "warn")), a_query("b", ("deny",))], b"{}", NOW, frozenset())
    assert made.values([[{"deny": [[]], "warn": []}, {"deny": [False]}]]) == {"a": {"deny": []}, "b": {"deny": False}}


@pytest.mark.parametrize("answer", [[], None, {}, [[]], [[{}], [{}]], [[{}, {}]], [[{}]], [[{"warn": [1]}]], "answer"])
def test_what_can_be_no_answer_is_a_fault(answer):
    """Never an empty answer, which could look like no denial."""
    made = one_pass([a_query()], b"{}", NOW, frozenset())
    with pytest.raises(EngineCrashed):
        made.values(answer)


def test_the_text_does_not_depend_on_what_varies():
    """Time, document and parameters travel in the input: the library keeps every text it saw."""
    texts = {
        one_pass([a_query("a", parameters={"n": n}), a_query("b")], b'{"x": %d}' % n, datetime(2026, 1, n, tzinfo=UTC), CLOCK).text
        for n in range(1, 9)
    }
    assert len(texts) == 1


def test_a_package_asked_twice_is_refused():
    """Its values would share one key."""
    with pytest.raises(ValueError, match="once"):
        one_pass([a_query(), a_query(rules=("warn",))], b"{}", NOW, frozenset())


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"1", b'"text"', b'{"a": 1} x'])
def test_a_document_that_is_no_object_is_refused(document):
    """Nothing can be written into it."""
    with pytest.raises(ValueError, match="JSON object"):
        one_pass([a_query()], document, NOW, frozenset())


def test_what_a_bundle_could_call_is_seen_in_its_trees():
    """By the last name anywhere in the tree: spelled with dots, with brackets, as a `with` target or value."""
    ref = [{"type": "var", "value": "http"}, {"type": "string", "value": "send"}]
    assert reached_by([{"rules": [{"with": [{"value": {"type": "ref", "value": ref}}]}]}]) == {"http.send"}
    assert reached_by([{"value": "now_ns"}, {"value": "trace"}]) == {"time.now_ns", "trace"}
    assert reached_by([{"value": "nothing"}]) == frozenset()


def test_walls_stand_where_they_are_needed():
    """Each builtin is replaced by the rule that raises for it."""
    assert walled(frozenset({"http.send", "time.now_ns"})) == "with http.send as data.admit.world.blocked_http_send"
    assert walled(frozenset()) == ""


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2262, 1, 1), timezones=st.just(UTC)))
def test_nanoseconds_are_exact(moment):
    """To the microsecond, which is all a datetime holds."""
    assert nanoseconds(moment) % 1000 == 0
    assert nanoseconds(moment) // 10**9 == int(moment.replace(microsecond=0).timestamp())
    assert nanoseconds(moment) // 1000 % 10**6 == moment.microsecond
