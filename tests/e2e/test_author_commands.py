"""What a policy author types: `admit test` and the rest, as processes, on bundles that lie in folders."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.process import admit, write_bundle
from tests.servers.need import need

STARTERS = Path(__file__).parents[2] / "policies" / "starters"
NAMES = sorted(manifest.parent.name for manifest in STARTERS.glob("*/bundle.yaml"))

POLICY = """\
package merge.label

deny contains "no label" if count(input.change.labels) == 0

warn contains "a draft" if input.change.draft
"""
TEST = """\
package merge.label_test

import data.merge.label

test_bare_is_denied if {
	"no label" in label.deny with input as {"change": {"labels": []}}
}
"""
CASES = """\
cases:
  - name: a label is enough
    input: {change: {labels: [bug]}}
    expect: admitted
  - name: without one it is denied
    expect: denied
    messages: ["no label"]
"""
MANIFEST = "name: acme\npolicies:\n  - package: merge.label\n    match: {action: merge}\n"


def a_bundle(folder, **over):
    """One policy with a test and two cases; `over` replaces files by their stem, None leaves one out."""
    files = {"manifest": ("bundle.yaml", MANIFEST), "policy": ("label.rego", POLICY), "test": ("label_test.rego", TEST)}
    files["cases"] = ("label.case", CASES)
    files |= {stem: (files[stem][0], text) for stem, text in over.items()}
    return write_bundle(folder / "acme", {path: text for path, text in files.values() if text is not None})


def test_passes_what_passes(tmp_path):
    """Tests and cases are counted, and 0 says that all are well."""
    done = admit("test", a_bundle(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED   acme: 1 tests, 2 cases" in done.stdout


def test_shows_what_was_expected_and_what_was_found(tmp_path):
    """A case that fails says both, and where it stands."""
    cases = CASES.replace("expect: admitted", "expect: held\n    warnings: [large]").replace('["no label"]', "[nothing like it]")
    done = admit("test", a_bundle(tmp_path, cases=cases), cwd=tmp_path)
    assert done.returncode == 1
    assert "label.case:2" in done.stdout
    assert "outcome: expected held, found admitted: 1 policy passed" in done.stdout
    assert "warning: expected large, found nothing" in done.stdout
    assert "message: expected nothing like it, found no label" in done.stdout
    assert "message: expected nothing, found no label" in done.stdout


def test_a_builtin_that_errs_fails_its_test(tmp_path):
    """Stock `opa test` lets it pass as undefined inside a negation; a gate must not."""
    erring = TEST + '\ntest_not_a_number if not to_number("x")\n'
    bundle = a_bundle(tmp_path, test=erring)
    done = admit("test", bundle, "--output", "json", cwd=tmp_path)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)
    failed = [test for test in found["tests"] if not test["passed"]]
    assert [test["name"] for test in failed] == ["merge.label_test.test_not_a_number"]
    assert failed[0]["line"] == 9
    assert "to_number" in failed[0]["message"]
    assert subprocess.run([need("opa"), "test", bundle], capture_output=True, timeout=60).returncode == 0


def test_nothing_to_try_is_an_error(tmp_path):
    """A bundle without tests has not passed them."""
    done = admit("test", a_bundle(tmp_path, test=None, cases=None), cwd=tmp_path)
    assert done.returncode == 2
    assert "expected tests, found neither a test_ rule nor a case" in done.stdout


def test_a_bundle_that_does_not_load_shows_the_line(tmp_path):
    """File, line and the line itself."""
    done = admit("test", a_bundle(tmp_path, policy=POLICY.replace("count(", "counts(")), cwd=tmp_path)
    assert done.returncode == 2
    assert "label.rego:3" in done.stdout
    assert "3 | deny contains" in done.stdout


def test_one_bad_bundle_does_not_hide_the_others(tmp_path):
    """All are tried; the exit code is of the worst."""
    good = a_bundle(tmp_path)
    done = admit("test", good, tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "PASSED   acme" in done.stdout
    assert "CANNOT   nowhere" in done.stdout


@pytest.mark.parametrize(("threshold", "code"), [(50, 0), (51, 1)])
def test_coverage_is_by_line_with_a_threshold(tmp_path, threshold, code):
    """One of the two rules is tested."""
    done = admit("test", a_bundle(tmp_path), "--threshold", str(threshold), cwd=tmp_path)
    assert done.returncode == code, done.stdout
    assert "coverage 50.0 % of lines" in done.stdout
    assert "not reached: 5" in done.stdout


def test_junit_counts_failures(tmp_path):
    """As CI systems read it."""
    done = admit("test", a_bundle(tmp_path, cases=CASES.replace("denied", "held")), "--output", "junit", cwd=tmp_path)
    assert done.returncode == 1
    (suite,) = ElementTree.fromstring(done.stdout)
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("acme", "3", "1", "0")
    assert suite.find("testcase/failure").get("message") == "outcome: expected held, found denied: no label"


def test_a_case_may_bring_its_own_store(tmp_path):
    """Relations by a model, not only one by one."""
    policy = """package merge.label

import data.admit

questions contains admit.question(input.subject.ref, "owner", input.change.repository.ref)

deny contains "not an owner" if not admit.related(input.subject.ref, "owner", input.change.repository.ref)
"""
    store = """model: |
  model
    schema 1.1
  type user
  type repository
    relations
      define owner: [user]
tuples:
  - {user: "user:work/ana", relation: owner, object: "repository:work/12"}
"""
    cases = """cases:
  - {name: an owner, relations: people.store, expect: admitted}
  - {name: somebody else, input: {subject: ben}, relations: people.store, expect: denied}
"""
    bundle = a_bundle(tmp_path, policy=policy, test=None, cases=cases)
    (bundle / "people.store").write_text(store)
    done = admit("test", bundle, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_starter_passes_and_agrees_with_stock_opa(tmp_path):
    """All at once; their tests are those `opa test` runs, and so are the lines they reach."""
    done = admit("test", *(STARTERS / name for name in NAMES), "--coverage", "--output", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    found = {trial["bundle"]: trial for trial in json.loads(done.stdout)}
    assert sorted(found) == NAMES
    for name in NAMES:
        folder = STARTERS / name
        command = [need("opa"), "test", "--format", "json", folder, STARTERS / "admit.rego"]
        stock = json.loads(subprocess.run(command, capture_output=True, timeout=60).stdout)
        ours = {test["name"]: test["passed"] for test in found[name]["tests"]}
        assert ours == {f"{test['package'].removeprefix('data.')}.{test['name']}": not test.get("fail", False) for test in stock}
        reached = json.loads(subprocess.run([*command[:2], "--coverage", *command[4:]], capture_output=True, timeout=60).stdout)["files"]
        for path, lines in found[name]["coverage"]["files"].items():
            expected = {
                line for span in reached[str(folder / path)]["covered"] for line in range(span["start"]["row"], span["end"]["row"] + 1)
            }
            assert set(lines["covered"]) == expected, (name, path)


def test_help_shows_an_example(tmp_path):
    """Every command explains itself."""
    done = admit("test", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout
