"""Every starter policy is good Rego by OPA's own tools, and complete: it shows what it admits and what it denies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers.need import need

STARTERS = Path(__file__).parents[2] / "policies" / "starters"
ADMIT = STARTERS / "admit.rego"
FOLDERS = sorted(manifest.parent for manifest in STARTERS.glob("*/bundle.yaml"))


def opa(*arguments):
    """Run stock OPA; answers its exit code and everything it said."""
    done = subprocess.run([need("opa"), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def starter(request):
    return request.param


def test_is_formatted(starter):
    """`opa fmt` has nothing to change."""
    assert opa("fmt", "--diff", starter) == (0, "")


def test_compiles_strictly(starter):
    """`opa check --strict` finds nothing: no unused import, no shadowed name."""
    assert opa("check", "--strict", starter, ADMIT) == (0, "")


def test_own_tests_pass_in_stock_opa(starter):
    """`opa test` runs the folder as it lies, cases included, and at least three tests pass."""
    code, said = opa("test", starter, ADMIT)
    assert code == 0, said
    assert int(said.split("PASS: ")[1].split("/")[0]) >= 3


def test_shows_what_it_admits_and_what_it_denies(starter):
    """A starter without an admitted and a denied case does not explain itself."""
    outcomes = {case["expect"]["outcome"] for path in starter.glob("cases/*.yaml") for case in yaml.safe_load(path.read_text()).values()}
    assert "admitted" in outcomes
    assert outcomes & {"denied", "held"}


def test_is_named_after_its_folder(starter):
    """The bundle's name is the folder's, and it brings exactly one policy with a title and a description."""
    manifest = yaml.safe_load((starter / "bundle.yaml").read_text())
    assert manifest["name"] == starter.name
    assert len(manifest["policies"]) == 1
    head = (starter / "policy.rego").read_text()
    assert head.startswith("# METADATA\n# title: ")
    assert "\n# description: " in head
    assert f"\npackage {manifest['policies'][0]['package']}\n" in head


def test_who_counts_as_approver_is_the_same_text_everywhere():
    """Each starter is complete by itself; the copies of approvers.rego differ in their package line only."""
    texts = {
        "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("package "))
        for path in STARTERS.glob("*/approvers.rego")
    }
    assert len(texts) == 1
