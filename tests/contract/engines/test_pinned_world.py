"""A policy sees the judgement's time and its input, and nothing else of the world."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.engines import Evaluation, FailureKind, PolicyQuery
from tests.contract.engines.samples import NOON, a_bundle, an_evaluation

REACHES_OUT = {
    "http.send": 'http.send({"method": "get", "url": "http://127.0.0.1:9/"})',
    "net.lookup_ip_addr": 'net.lookup_ip_addr("localhost")',
    "rand.intn": 'rand.intn("seed", 10)',
    "rego.parse_module": 'rego.parse_module("a.rego", "package a")',
    "trace": 'trace("note")',
    "uuid.rfc4122": 'uuid.rfc4122("seed")',
}


@pytest.fixture
def answer(engine, run):
    """Evaluates rules of one module, package p, and answers its values or its failure."""

    def evaluate(module, **more):
        return run(engine.evaluate(an_evaluation(a_bundle("package p\n\n" + module), "p", **more)))["p"]

    return evaluate


@pytest.mark.parametrize("moment", [NOON, datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC), datetime(2200, 2, 28, tzinfo=UTC)])
def test_the_clock_shows_the_judgements_time_to_the_microsecond(answer, moment):
    """`time.now_ns()` is the evaluation's time, exactly, in rules and in the functions they call."""
    values = answer("f(_) := time.now_ns()\nanswer := time.now_ns()\nother := [f(1) | true]\n", time=moment)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    exact = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
    assert values["answer"] == exact
    assert values["other"] == [exact]


def test_local_time_is_utc(answer, monkeypatch):
    """Where the gateway's machine stands does not change a verdict."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert answer('answer := time.clock([time.now_ns(), "Local"])\n')["answer"] == [3, 4, 5]


@pytest.mark.parametrize("builtin", REACHES_OUT)
def test_what_reaches_out_is_walled_off(answer, builtin):
    """Calling it fails the policy, whatever the load checks let through."""
    failure = answer(f"answer := {REACHES_OUT[builtin]}\n")
    assert failure.kind is FailureKind.FAILED
    assert builtin in failure.message


def test_a_wall_cannot_be_climbed_by_another_name(answer):
    """A function replaced by `http.send` in a `with` does not dial either."""
    failure = answer(
        'asks(r) := count(r)\nanswer := x if x := asks({"method": "get", "url": "http://127.0.0.1:9/"}) with count as http.send\n'
    )
    assert failure.kind is FailureKind.FAILED
    assert "http.send" in failure.message


def test_the_runtime_tells_nothing(answer, monkeypatch):
    """Neither the environment nor the version of the process is in reach."""
    monkeypatch.setenv("ADMIT_SECRET", "do not tell")
    assert answer("answer := opa.runtime()\n")["answer"] == {}


def test_the_input_is_what_was_given_and_nothing_more(answer):
    """The wrapping that pins the world is not to be seen, nor can the document reach into it."""
    document = {"document": 1, "now": 2, "version": 1}
    assert answer("answer := input\n", document=document, parameters={"a": 1})["answer"] == {**document, "parameters": {"a": 1}}


def test_parameters_are_each_policys_own(engine, run):
    """In one pass every policy has its own `input.parameters`."""
    bundle = a_bundle({f"{name}.rego": f"package {name}\nanswer := input.parameters.minimum\n" for name in "abc"})
    queries = tuple(PolicyQuery(package=name, rules=("answer",), parameters={"minimum": number}) for number, name in enumerate("abc"))
    answers = run(engine.evaluate(Evaluation(bundle=bundle, queries=queries, input=b"{}", time=NOON)))
    assert answers == {"a": {"answer": 0}, "b": {"answer": 1}, "c": {"answer": 2}}


@pytest.mark.parametrize(
    "odd",
    [
        ['"] } with input as {}', "\\u0041 \\ \" ` ' $", "{x} ${x} %d", "\n\t\x00"],
        ["\ufeffé\u2028\U0001f600\x7f"],
        "x" * 3000,
        [-1, 0.1, 1e-7, 1e300, 10**14, True, None],
        [2**53 - 1, 12345678901234567890123],
        [[], {}, [[], {}, [None]], {"": "", "a b": {'"': [1, "1"]}}, {"input": "input", "$": 1}],
    ],
    ids=["texts like Rego", "more than ASCII", "long", "numbers", "large numbers", "nested"],
)
def test_parameters_of_a_policys_own_arrive_as_they_are(engine, run, odd):
    """Wherever they stand on their way, and whatever Rego would take their text for."""
    bundle = a_bundle({f"{name}.rego": f"package {name}\nanswer := input.parameters\n" for name in "ab"})
    queries = tuple(PolicyQuery(package=name, rules=("answer",), parameters={"odd": odd, "of": name}) for name in "ab")
    found = run(engine.evaluate(Evaluation(bundle=bundle, queries=queries, input=b"{}", time=NOON)))
    assert found == {name: {"answer": {"odd": odd, "of": name}} for name in "ab"}


def test_a_document_cannot_bring_its_own_parameters(answer):
    """Facts that hold a key `parameters` do not override the manifest's."""
    assert answer("answer := input.parameters\n", document={"parameters": {"minimum": 0}}, parameters={"minimum": 2})["answer"] == {
        "minimum": 2
    }


def test_a_document_cannot_bring_parameters_where_each_policy_has_its_own_either(engine, run):
    """Not even a part of them."""
    bundle = a_bundle({f"{name}.rego": f"package {name}\nanswer := input.parameters\n" for name in "ab"})
    queries = tuple(PolicyQuery(package=name, rules=("answer",), parameters={"of": name}) for name in "ab")
    answers = run(engine.evaluate(Evaluation(bundle=bundle, queries=queries, input=b'{"parameters": {"more": 1}}', time=NOON)))
    assert answers == {"a": {"answer": {"of": "a"}}, "b": {"answer": {"of": "b"}}}


def test_each_policy_of_a_pass_has_the_same_clock(engine, run):
    """Where parameters differ, too."""
    bundle = a_bundle({f"{name}.rego": f"package {name}\nanswer := [time.now_ns(), input.parameters.of]\n" for name in "ab"})
    queries = tuple(PolicyQuery(package=name, rules=("answer",), parameters={"of": name}) for name in "ab")
    answers = run(engine.evaluate(Evaluation(bundle=bundle, queries=queries, input=b"{}", time=NOON)))
    assert answers == {"a": {"answer": [1767323045678901000, "a"]}, "b": {"answer": [1767323045678901000, "b"]}}
