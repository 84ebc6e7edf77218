"""Every starter policy is good Rego by OPA's own tools, a bundle the gateway takes, and does what its cases say.

The stock tools are asked as an author would ask them: `opa test policies/starters/veto policies/starters/admit.rego`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_folder
from policies.engines import ADMIT_MODULE
from policies.engines.opa_library import OpaLibrary
from policies.model import Enforcement, Outcome
from policies.schema import SCHEMA_FILE
from policies.trials import tried
from tests.servers.need import need

STARTERS = Path(__file__).parents[2] / "policies" / "starters"
ADMIT = STARTERS / "admit.rego"
FOLDERS = sorted(manifest.parent for manifest in STARTERS.glob("*/bundle.yaml"))
PROMISED = {
    "approvals",
    "change-size",
    "code-owners",
    "dependencies",
    "freeze-windows",
    "no-drafts",
    "only-admitted-code",
    "owner-approval",
    "production-window",
    "protected-paths",
    "required-checks",
    "required-labels",
    "signed-commits",
    "title-convention",
    "two-person",
    "unresolved-threads",
    "veto",
}


def opa(*arguments):
    """Run stock OPA; answers its exit code and everything it said."""
    done = subprocess.run([need("opa"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def loop():
    """One event loop for all tests of this module, because the engine's workers belong to it."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(loop):
    engine = OpaLibrary(compile_deadline=60, evaluation_deadline=60)
    yield engine
    loop.run(engine.close())


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def starter(request):
    """The folder of one starter."""
    return request.param


def test_all_promised_starters_are_there():
    """A folder that is lost, or has lost its manifest, is noticed."""
    assert {folder.name for folder in FOLDERS} == PROMISED


def test_all_of_them_are_listed_for_readers():
    """The README beside them has a line for each, and none for another."""
    listed = re.findall(r"^\| \[([a-z-]+)\]\(\1\) \|", (STARTERS / "README.md").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(PROMISED)


def test_readers_are_told_the_truth_about_not(tmp_path):
    """What the README warns of: `not f(input.x)` is undefined where input.x is missing, so a deny that relies on it is silent."""
    (tmp_path / "silent.rego").write_text('package silent\n\ndeny contains "not a text" if not is_string(input.x)\n')
    code, said = opa("eval", "--data", tmp_path / "silent.rego", "--format", "values", "data.silent.deny")
    assert (code, json.loads(said)) == (0, [[]])


def test_is_formatted(starter):
    """`opa fmt` has nothing to change."""
    assert opa("fmt", "--diff", starter) == (0, "")


def test_compiles_strictly(starter):
    """`opa check --strict` finds nothing: no unused import, no shadowed name."""
    assert opa("check", "--strict", starter, ADMIT) == (0, "")


def test_reads_only_what_the_input_has(starter):
    """`opa check` with the input's schema finds no name that the input does not have."""
    assert opa("check", "--strict", "--schema", SCHEMA_FILE, starter, ADMIT) == (0, "")


def test_own_tests_pass_in_stock_opa(starter):
    """`opa test` runs the folder as it lies, cases included, and at least three tests pass."""
    code, said = opa("test", starter, ADMIT)
    assert code == 0, said
    assert int(said.split("PASS: ")[1].split("/")[0]) >= 3


def lines_left_out(starter):
    """Module → the lines that `opa test --coverage` says no test of the starter reaches."""
    code, said = opa("test", "--coverage", starter, ADMIT)
    assert code == 0, said
    covered = json.loads(said)["files"]
    return {
        path.name: [gap["start"]["row"] for gap in covered.get(str(path), {"not_covered": [{"start": {"row": 1}}]}).get("not_covered", [])]
        for path in starter.glob("*.rego")
        if not path.name.endswith("_test.rego")
    }


def test_own_tests_reach_every_line_of_the_policy(starter):
    """No line of policy.rego is left out; what starters share is tested whole in one of them."""
    assert lines_left_out(starter)["policy.rego"] == []


@pytest.mark.parametrize(("name", "home"), [("approvers.rego", "approvals"), ("calendar.rego", "freeze-windows")])
def test_what_starters_share_is_tested_whole_at_home(name, home):
    """The tests of one starter reach every line of the shared text."""
    assert lines_left_out(STARTERS / home)[name] == []


def test_is_a_bundle_the_gateway_takes(starter, loop, engine):
    """The checks every bundle has to pass, its own tests with strict builtin errors included, find nothing wrong."""
    bundle = loop.run(checked_bundle(read_folder(starter), engine))
    assert bundle.name == starter.name
    assert len(bundle.policies) == 1
    assert bundle.policies[0].title
    assert bundle.policies[0].description


def test_shows_what_it_admits_and_what_it_does_not(starter, loop, engine):
    """A starter without an admitted case and one that is denied or held does not explain itself."""
    outcomes = {case.outcome for case in read_cases(loop.run(checked_bundle(read_folder(starter), engine, run_tests=False)))}
    assert Outcome.ADMITTED in outcomes
    assert outcomes & {Outcome.DENIED, Outcome.HELD}


def test_cases_come_out_as_they_say(starter, loop, engine):
    """Every case, through the whole of a decision: outcome, every message, every warning."""
    bundle = loop.run(checked_bundle(read_folder(starter), engine, run_tests=False))
    for trial in loop.run(tried(read_cases(bundle), bundle, engine)):
        assert trial.passed, f"{trial.case.name}: {trial.error or trial.differences}"


def test_every_denial_says_what_to_do(starter, loop, engine):
    """No violation of any case is without a remedy."""
    bundle = loop.run(checked_bundle(read_folder(starter), engine, run_tests=False))
    for trial in loop.run(tried(read_cases(bundle), bundle, engine)):
        assert [found for found in trial.verdict.violations if not found.remedy] == [], trial.case.name


def test_in_the_shadow_it_blocks_nothing(starter, loop, engine):
    """Set to dryrun, which is how a policy is tried first, every case is admitted and what it would have done is recorded."""
    bundle = loop.run(checked_bundle(read_folder(starter), engine, run_tests=False))
    shadow = replace(bundle, policies=(replace(bundle.policies[0], enforcement=Enforcement.DRYRUN),))
    for trial in loop.run(tried(read_cases(bundle), shadow, engine)):
        assert trial.verdict.outcome is Outcome.ADMITTED, trial.case.name
        assert bool(trial.verdict.dryrun) >= (trial.case.outcome is not Outcome.ADMITTED), trial.case.name


def test_the_stand_in_for_stock_tools_is_what_the_gateway_supplies():
    """`admit.rego` beside the starters is the reserved package, to the letter."""
    assert ADMIT.read_text() == ADMIT_MODULE


@pytest.mark.parametrize("name", ["approvers.rego", "calendar.rego"])
def test_what_starters_share_is_the_same_text_everywhere(name):
    """Each starter is complete by itself; copies of a module differ in their package line only."""
    texts = {
        "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("package "))
        for path in STARTERS.glob(f"*/{name}")
    }
    assert len(texts) == 1
