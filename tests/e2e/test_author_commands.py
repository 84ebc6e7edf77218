"""What a policy author types: `admit test` and the rest, as processes, on bundles that lie in folders."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.process import GatewayProcess, admit, write_bundle
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


def test_what_lies_beside_the_bundles_is_left_out_aloud(tmp_path):
    """A shell's `*` names files too; one named alone is meant, and told how to be named instead."""
    (tmp_path / "admit.rego").write_text("package admit\n")
    done = admit("test", a_bundle(tmp_path), tmp_path / "admit.rego", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "admit.rego: a bundle is a folder or a tar.gz" in done.stderr
    alone = admit("test", tmp_path / "admit.rego", cwd=tmp_path)
    assert alone.returncode == 2
    assert "name the folder its bundle.yaml is in" in alone.stdout


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
    assert subprocess.run([need("opa"), "test", bundle], capture_output=True, timeout=300).returncode == 0


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
  - {name: an owner, store: people.store, expect: admitted}
  - {name: somebody else, input: {subject: ben}, store: people.store, expect: denied}
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
        stock = json.loads(subprocess.run(command, capture_output=True, timeout=300).stdout)
        ours = {test["name"]: test["passed"] for test in found[name]["tests"]}
        assert ours == {f"{test['package'].removeprefix('data.')}.{test['name']}": not test.get("fail", False) for test in stock}
        reached = json.loads(subprocess.run([*command[:2], "--coverage", *command[4:]], capture_output=True, timeout=300).stdout)["files"]
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


def test_the_same_files_are_packed_into_the_same_bytes(tmp_path):
    """Whatever their times and wherever they lie; and what is packed is a bundle like the folder."""
    one, other = a_bundle(tmp_path / "one"), a_bundle(tmp_path / "other")
    for folder, target in ((one, "one.tar.gz"), (other, "other.tar.gz")):
        done = admit("bundle", "build", folder, "-o", target, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "acme, revision" in done.stdout
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "other.tar.gz").read_bytes()
    tried = admit("test", "one.tar.gz", cwd=tmp_path)
    assert tried.returncode == 0, tried.stdout


def test_a_bundle_that_fails_its_tests_is_not_packed(tmp_path):
    """Unless that is asked for."""
    bad = a_bundle(tmp_path, test=TEST.replace('"no label"', '"nothing"'))
    done = admit("bundle", "build", bad, cwd=tmp_path)
    assert done.returncode == 2
    assert "test merge.label_test.test_bare_is_denied failed" in done.stderr
    assert not (tmp_path / "acme.tar.gz").exists()
    assert admit("bundle", "build", bad, "--no-tests", cwd=tmp_path).returncode == 0


@pytest.mark.timeout(900)  # two dozen commands, each a process
def test_publishing_and_steering_a_running_gateway(tmp_path):
    """Pushed, listed, pushed again, rolled back, brought forth, enforced; what is refused is 1, what cannot be asked is 2."""
    (tmp_path / "gateway").mkdir()
    with GatewayProcess(tmp_path / "gateway") as gateway:
        environment = {"ADMIT_TOKEN": str(gateway.token), "ADMIT_URL": gateway.url}

        def bundle(*arguments, **over):
            return admit("bundle", *arguments, cwd=tmp_path, environment={**environment, **over})

        for revision in ("r1", "r2"):
            pushed = bundle("push", a_bundle(tmp_path, manifest=MANIFEST.replace("acme", f"acme\nrevision: {revision}")))
            assert pushed.returncode == 0, pushed.stderr
            assert f"acme: revision {revision} (sha256:" in pushed.stdout
        assert re.match(r"acme +r2 +1 policy +published +sha256:", bundle("list").stdout)
        back = bundle("rollback", "acme")
        assert "acme: revision r1" in back.stdout
        nothing_before = bundle("rollback", "acme")
        assert nothing_before.returncode == 2
        assert "no revision before r1" in nothing_before.stderr
        assert "acme: revision r2" in bundle("activate", "acme", "r2").stdout
        assert bundle("activate", "acme", "r9").returncode == 1
        assert "acme/merge.label: dryrun" in bundle("enforce", "acme", "merge.label", "dryrun").stdout
        assert "acme/merge.label: deny" in bundle("enforce", "acme", "merge.label", "manifest").stdout
        listed = json.loads(bundle("list", "--json").stdout)
        assert [(each["name"], each["revision"]) for each in listed["bundles"]] == [("acme", "r2")]

        assert "acme: not in force since generation" in bundle("remove", "acme").stdout
        assert json.loads(bundle("list", "--json").stdout)["bundles"] == []
        assert bundle("remove", "acme").returncode == 1

        refused = bundle("push", a_bundle(tmp_path, policy=POLICY.replace("labels", "lables")))
        assert refused.returncode == 1
        assert "label.rego:3" in refused.stderr
        assert re.search(r"^ +3 \| .*lables", refused.stderr, re.MULTILINE), refused.stderr
        unreadable = bundle("push", a_bundle(tmp_path, manifest=MANIFEST.replace("policies:", "polices:")))
        assert unreadable.returncode == 1
        assert "polices" in unreadable.stderr
        wrong = bundle("list", ADMIT_TOKEN="not the token")
        assert wrong.returncode == 2
        assert "valid token" in wrong.stderr
        untold = bundle("list", ADMIT_TOKEN="")
        assert untold.returncode == 2
        assert "ADMIT_TOKEN" in untold.stderr
    away = bundle("list")
    assert away.returncode == 2
    assert "cannot be reached" in away.stderr


def test_impact_turns_footprints_round(tmp_path):
    """Each fact with the policies that look at it, and each policy with the facts it looks at."""
    found = json.loads(admit("bundle", "impact", STARTERS / "veto", STARTERS / "required-labels", "--json", cwd=tmp_path).stdout)
    assert found["facts"]["change.labels"] == ["required-labels/merge.required_labels"]
    assert found["facts"]["change.reviews"] == ["veto/merge.veto"]
    assert "change.comments" not in found["facts"]
    text = admit("bundle", "impact", a_bundle(tmp_path), cwd=tmp_path).stdout
    assert text == (
        "change.draft\n  acme/merge.label\nchange.labels\n  acme/merge.label\n"
        "\npolicy            reads\nacme/merge.label  change: draft, labels\n"
    )
    assert admit("bundle", "impact", cwd=tmp_path).returncode == 2


FAILING = """\
package merge.label_test

import data.merge.label

test_count if {
	denied := label.deny with input as {"change": {"labels": []}}
	n := count(denied)
	n == 7
}

test_member if "no label" in label.deny with input as {"change": {"labels": ["bug"]}}

test_sets if {"a"} == {x | some x in ["b", "c"]}

test_call if concat("-", ["a", "b"]) == "a+b"

test_every if {
	every number in [1, 2, 3] { number < 3 }
}
"""


def test_a_failing_test_shows_the_line_and_the_values_it_saw(tmp_path):
    """Variables by their names, rules and calls by what they came to, and the two sides of a comparison."""
    done = admit("test", a_bundle(tmp_path, test=FAILING), "--output", "json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (found,) = json.loads(done.stdout)
    told = {test["name"].rpartition(".")[2]: test["message"].splitlines()[1:] for test in found["tests"]}
    assert told == {
        "test_count": [
            "label_test.rego:8: n == 7",
            '  denied is ["no label"]',
            "  n is 1",
            "  count(data.merge.label.deny) is 1",
            "  1 is not 7",
        ],
        "test_member": [
            'label_test.rego:11: test_member if "no label" in label.deny with input as {"change": {"labels": ["bug"]}}',
            "  data.merge.label.deny is set()",
        ],
        "test_sets": [
            'label_test.rego:13: test_sets if {"a"} == {x | some x in ["b", "c"]}',
            '  {"b", "c"} is not {"a"}',
        ],
        "test_call": [
            'label_test.rego:15: test_call if concat("-", ["a", "b"]) == "a+b"',
            '  concat("-", ["a", "b"]) is "a-b"',
            '  "a-b" is not "a+b"',
        ],
        "test_every": ["label_test.rego:18: every number in [1, 2, 3] { number < 3 }", "  number is 3"],
    }
