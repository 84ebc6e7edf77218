"""Nothing in one bundle reaches another's evaluation, nor the gateway's own package."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from policies.engines.launch import GIVEN
from policies.errors import BundleRefused
from tests.contract.engines.samples import a_bundle, an_evaluation

ORGANISATION = """package merge.rules

import data.admit

deny contains sprintf("%v approvals are needed", [data.settings.minimum]) if count(input.approvals) < data.settings.minimum

deny contains "an owner has to approve" if not admit.related("user:work/1", "owner", "repository:work/12")
"""
ATTACKS = {
    "another module of the same package": ({"x.rego": "package merge.rules\n\ndeny := set()\n"}, {}),
    "the same package with the same rule": ({"x.rego": "package merge.rules\n\ndeny contains 1 if false\n"}, {}),
    "the organisation's data key": ({"x.rego": "package mine\n\ndeny := set()\n"}, {"settings": {"minimum": 0}}),
    "a package above the organisation's": ({"x.rego": "package merge\n\nrules := {}\n"}, {}),
    "a rule at the place of the organisation's data": ({"x.rego": "package settings\n\nminimum := 0\n"}, {}),
}
CLAIMS = {
    "the package admit": {"x.rego": "package admit\n\nrelated(_, _, _) := true\n"},
    "a package inside admit": {"x.rego": "package admit.world\n\nblocked_http_send(_) := 1\n"},
    "the package system": {"x.rego": "package system.authz\n\nallow := true\n"},
    "the package admit, spelled with brackets": {"x.rego": 'package admit["world"]\n\nx := 1\n'},
    "the file of the package admit": {"admit.rego": "package other\n\nx := 1\n"},
    "a file outside its folder": {"../x.rego": "package other\n\nx := 1\n"},
    "an absolute file": {"/tmp/x.rego": "package other\n\nx := 1\n"},
}
FACTS = {"approvals": ["bob"], "relations": {"repository:work/12": {"owner": {"user:work/1": False}}}}
VERDICT = {"merge.rules": {"deny": ["2 approvals are needed", "an owner has to approve"]}}


def organisation(**more):
    return an_evaluation(
        a_bundle(ORGANISATION, data={"settings": {"minimum": 2}}, name="organisation"), "merge.rules", document=FACTS, **more
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_repositorys_bundle_does_not_change_the_organisations_verdict(engine, run, attack):
    """Loaded before, between and at the same time, it has no effect."""
    modules, data = ATTACKS[attack]
    hostile = an_evaluation(a_bundle(modules, data=data, name="repository"), "mine", "merge.rules", "merge", document=FACTS)

    async def scene():
        before = await engine.evaluate(hostile)
        together = await asyncio.gather(engine.evaluate(organisation()), engine.evaluate(hostile), engine.evaluate(organisation()))
        assert together[1] == before
        return together[0], together[2], await engine.evaluate(organisation())

    assert run(scene()) == (VERDICT, VERDICT, VERDICT)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_belongs_to_the_gateway_is_refused(engine, run, claim):
    """By the engine itself, whatever the load checks let through; the message names the file."""
    with pytest.raises(BundleRefused) as refused:
        run(engine.compile(a_bundle(CLAIMS[claim])))
    (path,) = CLAIMS[claim]
    assert {problem.path for problem in refused.value.problems} == {path}


@pytest.mark.parametrize("root", ["admit", "system"])
def test_data_of_the_gateway_is_refused(engine, run, root):
    """A bundle's data may not lie where the reserved packages are."""
    with pytest.raises(BundleRefused, match=f"data key '{root}'"):
        run(engine.compile(a_bundle("package p\n\nx := 1\n", data={root: {"world": {}}})))


@pytest.mark.parametrize(
    ("module", "data"),
    [
        ("package a.b\n\nx := 1\n", {"a": {"b": {"x": 2}}}),
        ("package a.b\n\nx := 1\n", {"a": {"b": 3}}),
        ("package a.b\n\nx.y := 1\n", {"a": {"b": {"x": {"z": 1}}}}),
    ],
)
def test_data_that_lies_where_a_rule_is_is_refused(engine, run, module, data):
    """As stock `opa` refuses it, though its library would let one hide the other."""
    with pytest.raises(BundleRefused):
        run(engine.compile(a_bundle(module, data=data)))


def test_two_bundles_see_only_their_own_data_and_rules(engine, run):
    """Everything under `data` is the bundle's own, beside the reserved package."""
    bundle = a_bundle('package p\n\nanswer := object.keys(data) - {"p"} if true\n', data={"mine": 1})
    run(engine.compile(a_bundle("package q\n\nanswer := 1\n", data={"theirs": 1})))
    seen = run(
        engine.evaluate(
            an_evaluation(a_bundle({"p.rego": "package p\n\nanswer if data.theirs\nother := data.mine\n"}, data={"mine": 1}), "p", "q")
        )
    )
    assert seen == {"p": {"other": 1}, "q": {}}
    assert bundle.data == {"mine": 1}


def test_nothing_of_one_evaluation_reaches_the_next(engine, run):
    """Neither input nor parameters nor relations nor time, in whatever order evaluations come."""
    bundle = a_bundle("package p\n\nanswer := input.secret\nother := [v | some v in input.relations]\n")
    rich = an_evaluation(bundle, "p", document={"secret": 1, "relations": {"a": 1}})
    poor = an_evaluation(bundle, "p", document={})

    async def scene():
        return await asyncio.gather(*(engine.evaluate(each) for each in [rich, poor] * 20))

    assert run(scene()) == [{"p": {"answer": 1, "other": [1]}}, {"p": {"other": []}}] * 20


def test_cached_builtins_do_not_leak_between_evaluations(engine, run):
    """Regular expressions, parsed documents and glob patterns are cached by OPA; their answers follow the input all the same."""
    bundle = a_bundle(
        'package p\n\nanswer := [regex.match(input.re, "abc"), json.unmarshal(input.text), glob.match(input.glob, [], "abc")]\n'
    )
    first = an_evaluation(bundle, "p", document={"re": "^a", "text": "1", "glob": "a*"})
    second = an_evaluation(bundle, "p", document={"re": "^b", "text": "2", "glob": "b*"})
    answers = [run(engine.evaluate(each))["p"]["answer"] for each in (first, second, first)]
    assert answers == [[True, 1, True], [False, 2, False], [True, 1, True]]


def test_a_bundle_of_another_digest_is_another_bundle(engine, run):
    """A new revision does not see the old one's modules."""
    old = a_bundle({"a.rego": "package p\n\nanswer := 1\n", "b.rego": "package q\n\nanswer := 1\n"})
    new = a_bundle({"a.rego": "package p\n\nanswer := 2\n"})
    assert run(engine.evaluate(an_evaluation(old, "p", "q"))) == {"p": {"answer": 1}, "q": {"answer": 1}}
    assert run(engine.evaluate(an_evaluation(new, "p", "q"))) == {"p": {"answer": 2}, "q": {}}
    assert run(engine.evaluate(an_evaluation(old, "p", "q"))) == {"p": {"answer": 1}, "q": {"answer": 1}}


def test_how_the_input_is_given_is_not_told(engine, run):
    """The library reads it by a function whose name no policy can know: it is new in each process, and in no message."""
    asked = an_evaluation(a_bundle("package p\n\nanswer := input.x\n"), "p")
    failure = run(engine.evaluate(replace(asked, input=b'{"x": }')))["p"]
    assert GIVEN not in failure.message
    tell = "from policies.engines.launch import GIVEN; print(GIVEN)"
    other = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True)
    assert other.stdout.strip().startswith("given_")
    assert other.stdout.strip() != GIVEN
