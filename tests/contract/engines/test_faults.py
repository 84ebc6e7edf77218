"""What goes wrong stays with whom it went wrong for, and never looks like a value."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from policies.engines import FailureKind
from policies.errors import BundleQuarantined, EngineCrashed, EngineTimedOut, EngineUnavailable
from tests.contract.engines.samples import a_bundle, an_evaluation

LOOP = "some i in numbers.range(1, 100000000); some j in numbers.range(1, 100000000); i * j == -1"
LOOPS = f"package loops\n\ndeny contains 1 if {{ {LOOP} }}\nanswer := 1\n"
FINE = 'package fine\n\ndeny contains "no"\n'
HOGS = 'package hogs\n\nanswer := count([x | some i in numbers.range(1, 100000000); x := sprintf("%2000d", [i])])\n'
RAISES = 'package raises\n\ndeny contains to_number("x") if input.raise\nwarn contains "w"\n'
PATIENT = {"evaluation_deadline": 60.0, "compile_deadline": 60.0}
"""Of an engine; what is meant to be stopped has a deadline of its own, so that nothing else is on a busy machine."""


def test_a_builtin_error_fails_the_policy(engine, run):
    """Errors are strict: no `not to_number("x")` becomes true."""
    bundle = a_bundle('package p\n\nanswer if not to_number("x")\n')
    failure = run(engine.evaluate(an_evaluation(bundle, "p")))["p"]
    assert failure.kind is FailureKind.FAILED
    assert "policy.rego:3" in failure.message


@pytest.mark.parametrize(
    "body",
    [
        'to_number("12x")',
        "1 / input.zero",
        "io.jwt.decode(input.token)[0]",
        'regex.match("(", "a")',
        'time.parse_rfc3339_ns("yesterday")',
        "{1: 1 | true; input.zero}[input.zero]",
    ],
)
def test_errors_that_other_engines_swallow(engine, run, body):
    """Either the policy fails or its rule is undefined: never a value."""
    bundle = a_bundle(f"package p\n\nanswer := {body}\n")
    result = run(engine.evaluate(an_evaluation(bundle, "p", document={"zero": 0})))["p"]
    assert not isinstance(result, dict) or "answer" not in result


def test_two_values_of_one_rule_fail_the_policy(engine, run):
    """A conflict is a fault, not a choice."""
    bundle = a_bundle("package p\n\nanswer := 1 if input.a\nanswer := 2 if input.a\n")
    failure = run(engine.evaluate(an_evaluation(bundle, "p", document={"a": 1})))["p"]
    assert failure.kind is FailureKind.FAILED


def test_one_policys_fault_does_not_hide_anothers_denial(engine, run):
    """The others are evaluated one by one, the faulty one has the reason."""
    bundle = a_bundle({"raises.rego": RAISES, "fine.rego": FINE})
    answers = run(engine.evaluate(an_evaluation(bundle, "raises", "fine", document={"raise": True})))
    assert answers["raises"].kind is FailureKind.FAILED
    assert answers["fine"] == {"deny": ["no"]}


def test_a_loop_is_stopped_at_its_deadline(make_engine, run):
    """Long before it would end by itself, and the next evaluation works."""
    engine = make_engine(**PATIENT)
    bundle = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE})
    with pytest.raises(EngineTimedOut, match=r"0\.7 s"):
        run(engine.evaluate(an_evaluation(bundle, "loops", deadline=0.7)))
    assert run(engine.evaluate(an_evaluation(bundle, "fine"))) == {"fine": {"deny": ["no"]}}


def test_a_looping_policy_does_not_hide_anothers_denial(make_engine, run):
    """The pass is stopped, then each policy has a deadline of its own."""
    engine = make_engine(**PATIENT)
    bundle = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE})
    answers = run(engine.evaluate(an_evaluation(bundle, "loops", "fine", deadline=2.0)))
    assert answers["loops"].kind is FailureKind.TIMED_OUT
    assert answers["fine"] == {"deny": ["no"]}


def test_an_evaluations_own_deadline_counts(make_engine, run):
    """A deadline given with the evaluation replaces the engine's."""
    engine = make_engine(evaluation_deadline=600.0, compile_deadline=60.0)
    with pytest.raises(EngineTimedOut):
        run(engine.evaluate(an_evaluation(a_bundle(LOOPS), "loops", deadline=0.3)))


def test_a_memory_hog_is_stopped(make_engine, run):
    """The parent watches what is resident; the next evaluation works."""
    engine = make_engine(evaluation_deadline=120.0, memory_limit=200 << 20)
    bundle = a_bundle({"hogs.rego": HOGS, "fine.rego": FINE})
    with pytest.raises(EngineCrashed, match="200 MB"):
        run(engine.evaluate(an_evaluation(bundle, "hogs")))
    assert run(engine.evaluate(an_evaluation(bundle, "fine"))) == {"fine": {"deny": ["no"]}}


def test_three_kills_put_a_bundle_in_quarantine_and_no_other(make_engine, run):
    """After that it is not run, at once and with its name; other bundles are."""
    engine = make_engine(**PATIENT, quarantine_after=3)
    bundle, other = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE}), a_bundle(FINE, name="other")
    for _ in range(3):
        with pytest.raises(EngineTimedOut):
            run(engine.evaluate(an_evaluation(bundle, "loops", deadline=0.3)))
    with pytest.raises(BundleQuarantined, match="'acme'") as refused:
        run(engine.evaluate(an_evaluation(bundle, "fine")))
    assert refused.value.advice is not None
    with pytest.raises(BundleQuarantined):
        run(engine.compile(bundle))
    assert run(engine.evaluate(an_evaluation(other, "fine"))) == {"fine": {"deny": ["no"]}}


def children(of: int) -> list[int]:
    """The processes this one has started."""
    return [int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="reads /proc to find the worker")
def test_a_worker_that_dies_in_mid_judgement_costs_that_evaluation_only(make_engine, run):
    """Killed from outside: the evaluation says so, whoever waited behind it is answered."""
    before = set(children(os.getpid()))
    engine = make_engine(evaluation_deadline=60.0, compile_deadline=60.0)
    bundle = a_bundle({"loops.rego": LOOPS, "fine.rego": FINE})

    async def scene():
        await engine.compile(bundle)
        (worker,) = set(children(os.getpid())) - before
        doomed = asyncio.ensure_future(engine.evaluate(an_evaluation(bundle, "loops")))
        await asyncio.sleep(0.5)
        waiting = [asyncio.ensure_future(engine.evaluate(an_evaluation(bundle, "fine"))) for _ in range(5)]
        await asyncio.sleep(0.1)
        os.kill(worker, signal.SIGKILL)
        return await asyncio.gather(doomed, *waiting, return_exceptions=True)

    doomed, *others = run(scene())
    assert isinstance(doomed, EngineCrashed)
    assert others == [{"fine": {"deny": ["no"]}}] * 5


SHAPES = {
    "null": None,
    "0": 0,
    '"text"': "text",
    "[]": [],
    "{}": {},
    '{"deny": 1}': {"deny": 1},
    "[[1]]": [[1]],
    "true": True,
    "false": False,
    "set()": [],
    "1.5": 1.5,
}


@pytest.mark.parametrize("value", SHAPES)
def test_values_of_any_shape_pass_through(engine, run, value):
    """Whether a `deny` has the right shape is for the verdict to say."""
    bundle = a_bundle(f"package p\n\ndeny := {value}\n")
    assert run(engine.evaluate(an_evaluation(bundle, "p"))) == {"p": {"deny": SHAPES[value]}}


def test_rules_and_packages_that_are_not_there_are_absent(engine, run):
    """Every query has an entry, even if nothing is in it."""
    bundle = a_bundle("package p\n\ndeny contains 1 if false\n")
    assert run(engine.evaluate(an_evaluation(bundle, "p", "nowhere.at.all"))) == {"p": {"deny": []}, "nowhere.at.all": {}}


def test_no_queries_are_no_answers(engine, run):
    """An evaluation that asks nothing is answered with nothing."""
    assert run(engine.evaluate(an_evaluation(a_bundle(FINE)))) == {}


def test_an_input_that_is_not_json_fails(engine, run):
    """A document the engine cannot read is a fault of every policy."""
    from policies.engines import Evaluation

    asked = an_evaluation(a_bundle(FINE), "fine")
    broken = Evaluation(bundle=asked.bundle, queries=asked.queries, input=b'{"a": }', time=asked.time)
    assert run(engine.evaluate(broken))["fine"].kind is FailureKind.FAILED


def test_a_closed_engine_says_so(make_engine, run):
    """Nothing hangs on an engine that was closed."""
    engine = make_engine()
    run(engine.close())
    with pytest.raises(EngineUnavailable):
        run(engine.evaluate(an_evaluation(a_bundle(FINE), "fine")))
