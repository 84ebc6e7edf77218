"""What policy authors write means the same here as in `opa eval` of the same OPA version."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engines import ADMIT_MODULE, Evaluation, PolicyQuery
from tests.contract.engines.samples import IDIOM_DATA, NOON, RULES, SHARED_MODULE, a_bundle, a_document, an_evaluation, idioms
from tests.servers.need import need
from tests.servers.opa import opa_eval

IDIOMS = idioms()
MODULES = {"shared.rego": SHARED_MODULE, **{f"{name}.rego": f"package idioms.{name}\n\n{body}" for name, body in IDIOMS.items()}}
ABOUT_UNDEFINED = {
    "missing_field_inside_deny_is_silent",
    "missing_field_makes_undefined",
    "missing_index",
    "boolean_rule_absent_when_false",
}
BOTH_ENGINES = pytest.mark.parametrize("adapter", ["library", "server over a unix socket"], indirect=True, scope="package")
"""How the server is reached makes no difference to what Rego means."""
BUNDLE = a_bundle(MODULES, data=IDIOM_DATA)


@pytest.fixture(scope="package")
def reference():
    """All idioms by one `opa eval`, without any of our machinery: rule → value per idiom."""
    answer = opa_eval(need("opa"), {**MODULES, "admit.rego": ADMIT_MODULE}, IDIOM_DATA, a_document(), "data.idioms")
    assert "errors" not in answer, answer["errors"]
    packages = answer["result"][0]["expressions"][0]["value"]
    return {name: {rule: value for rule, value in packages.get(name, {}).items() if rule in RULES} for name in IDIOMS}


@pytest.fixture(scope="package")
def answers(engine, run):
    """All idioms by the engine, in one pass."""
    packages = [f"idioms.{name}" for name in IDIOMS]
    document = {key: value for key, value in a_document().items() if key != "parameters"}
    return run(engine.evaluate(an_evaluation(BUNDLE, *packages, document=document, parameters={"minimum": 2})))


def test_there_are_at_least_a_hundred_idioms():
    """The exam does not shrink unnoticed."""
    assert len(IDIOMS) >= 140


@BOTH_ENGINES
@pytest.mark.parametrize("name", IDIOMS)
def test_idiom_means_what_opa_says(name, answers, reference):
    """Every rule has the value `opa eval` gives it, and is undefined where OPA says undefined."""
    assert answers[f"idioms.{name}"] == reference[name]


def test_idioms_exercise_something(reference):
    """All but a few idioms that are about undefined rules have a value: the comparison is not between nothings."""
    silent = {name for name, values in reference.items() if not any(value not in ([], {}) for value in values.values())}
    assert silent <= {
        "missing_field_inside_deny_is_silent",
        "missing_field_makes_undefined",
        "missing_index",
        "boolean_rule_absent_when_false",
    }


@BOTH_ENGINES
@pytest.mark.parametrize("own_parameters", [False, True], ids=["shared parameters", "parameters of their own"])
def test_any_selection_of_policies_gives_the_same_values(engine, run, reference, own_parameters):
    """Which other policies are in the pass does not matter, nor whether they have the same parameters."""
    document = json.dumps({key: value for key, value in a_document().items() if key != "parameters"}, ensure_ascii=False).encode()
    choice = random.Random(7)
    for _ in range(4):
        names = choice.sample(sorted(IDIOMS), 12)
        queries = tuple(
            PolicyQuery(package=f"idioms.{name}", rules=RULES, parameters={"minimum": 2, **({"number": number} if own_parameters else {})})
            for number, name in enumerate(names)
        )
        asked = Evaluation(bundle=BUNDLE, queries=queries, input=document, time=NOON)
        assert run(engine.evaluate(asked)) == {f"idioms.{name}": reference[name] for name in names}


ECHO = a_bundle("package echo\n\nanswer := input.value\n\nother := {key: value | some key, value in input.value}\n")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@BOTH_ENGINES
@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(TEXT, JSON, max_size=5))
def test_any_json_value_passes_through_unchanged(engine, run, value):
    """Whole, and taken apart and put together again by a rule."""
    answer = run(engine.evaluate(an_evaluation(ECHO, "echo", document={"value": value})))["echo"]
    assert answer["answer"] == value
    assert answer["other"] == value
