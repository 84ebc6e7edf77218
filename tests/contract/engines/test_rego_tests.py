"""`test_` rules: each by itself, and what is not true has failed."""

from __future__ import annotations

import json
import subprocess

import pytest

from policies.errors import BundleRefused
from tests.contract.engines.samples import a_bundle
from tests.contract.engines.test_faults import LOOP
from tests.servers.need import need
from tests.servers.opa import write_bundle

POLICY = """package merge.size

deny contains "too large" if input.lines > input.parameters.maximum

small if {
	input.lines < 10
}

unused if {
	input.never
}
"""
TESTS = """package merge.size_test

import data.merge.size

test_large_is_denied if size.deny == {"too large"} with input as {"lines": 11, "parameters": {"maximum": 10}}

test_wrong_expectation if {
	found := size.deny with input as {"lines": 9, "parameters": {"maximum": 10}}
	print("found", found)
	count(found) == 1
}

test_false := false

test_undefined if input.nothing

test_raises if to_number("x") == 1

test_not_of_an_error if not to_number("x")

test_table[name] := outcome if {
	some name, lines in {"tiny": 1, "huge": 99}
	outcome := is_small(lines)
}

is_small(lines) if size.small with input.lines as lines

is_small(lines) := false if not size.small with input.lines as lines

test_clock_may_be_set if time.now_ns() == 5 with time.now_ns as 5

test_number := 1

todo_test_later if false
"""
EXPECTED = {
    "merge.size_test.test_large_is_denied": True,
    "merge.size_test.test_wrong_expectation": False,
    "merge.size_test.test_false": False,
    "merge.size_test.test_undefined": False,
    "merge.size_test.test_raises": False,
    "merge.size_test.test_not_of_an_error": False,
    "merge.size_test.test_table": False,
    "merge.size_test.test_clock_may_be_set": True,
    "merge.size_test.test_number": False,
}


@pytest.fixture(scope="package")
def report(engine, run):
    """The report of the bundle above, with coverage."""
    return run(engine.test(a_bundle({"size.rego": POLICY}, tests={"size_test.rego": TESTS}), coverage=True))


def test_every_test_is_run_by_itself(report):
    """One that raises does not keep the others from being run."""
    assert {case.name: case.passed for case in report.cases} == EXPECTED
    assert {case.path for case in report.cases} == {"size_test.rego"}


def test_verdicts_are_those_of_opa_test_except_that_errors_fail(report, tmp_path):
    """Stock `opa test` is the oracle; it alone lets a test pass whose builtin raised."""
    write_bundle(tmp_path, {"size.rego": POLICY, "size_test.rego": TESTS}, {})
    done = subprocess.run([need("opa"), "test", "--format", "json", "."], cwd=tmp_path, capture_output=True, check=False, timeout=300)
    passed = {
        f"{case['package'].removeprefix('data.')}.{case['name']}": not case.get("fail") and not case.get("error")
        for case in json.loads(done.stdout)
    }
    passed = {name: verdict for name, verdict in passed.items() if not name.rpartition(".")[2].startswith("todo_")}
    ours = {case.name: case.passed for case in report.cases}
    assert {name for name in ours if ours[name] != passed[name]} == {"merge.size_test.test_not_of_an_error"}


def test_a_failed_test_says_what_it_printed(report):
    """The author sees the values the test looked at."""
    messages = {case.name.rpartition(".")[2]: case.message or "" for case in report.cases}
    assert "found set()" in messages["test_wrong_expectation"]
    assert "eval_builtin_error" in messages["test_raises"]
    assert "huge" in messages["test_table"]
    assert "tiny" not in messages["test_table"]
    assert not messages["test_large_is_denied"]


def test_coverage_is_by_line_over_all_tests(report):
    """Covered by any test, or by none."""
    covered, not_covered = report.coverage["size.rego"]
    assert {3, 5, 6} <= set(covered)
    assert {10} <= set(not_covered)
    assert set(report.coverage) == {"size.rego"}


def test_a_bundle_without_tests_has_no_cases(engine, run):
    """Whether that is an error is for the caller to say."""
    report = run(engine.test(a_bundle({"size.rego": POLICY})))
    assert report.cases == ()
    assert report.coverage is None


def test_a_test_file_that_does_not_compile_is_refused(engine, run):
    """With its file and line, though the policies compile."""
    with pytest.raises(BundleRefused) as refused:
        run(engine.test(a_bundle({"size.rego": POLICY}, tests={"size_test.rego": "package t\n\ntest_x if nosuch(1)\n"})))
    assert (refused.value.problems[0].path, refused.value.problems[0].line) == ("size_test.rego", 3)


def test_a_test_that_loops_has_failed_and_the_others_are_run(make_engine, run):
    """Stopped at the evaluation deadline, with that as its message."""
    engine = make_engine(evaluation_deadline=3.0, compile_deadline=60.0)
    tests = f"package loop_test\n\ntest_loops if {{ {LOOP} }}\n\ntest_fine if true\n"
    report = run(engine.test(a_bundle("package p\n", tests={"loop_test.rego": tests})))
    assert {case.name: case.passed for case in report.cases} == {"loop_test.test_loops": False, "loop_test.test_fine": True}
    assert "took longer than 3 s" in report.cases[0].message
