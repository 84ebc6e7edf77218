"""The commands, run as users run them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from tests.builders import a_change_document
from tests.e2e.process import admit, write_bundle

LABELLED = """\
package merge.x

deny contains {"msg": "no label", "remedy": "add one", "location": {"path": "a.py", "line": 3}} if count(input.change.labels) == 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle and three documents: one admitted, one denied, one that does not fit."""
    write_bundle(
        tmp_path / "bundle",
        {"bundle.yaml": "name: acme\npolicies:\n  - package: merge.x\n    match: {action: merge}\n", "x.rego": LABELLED},
    )
    (tmp_path / "good.json").write_text(json.dumps({"version": 1, "change": a_change_document(labels=["bug"])}))
    (tmp_path / "bad.json").write_text(json.dumps({"version": 1, "change": a_change_document(title="Evil\n::error::x\x1b[2J")}))
    (tmp_path / "odd.json").write_text(json.dumps({"version": 1, "change": a_change_document(lables=[])}))
    return tmp_path


def test_the_demo_shows_every_outcome_with_its_reason(tmp_path):
    """Admitted, denied, held and undecided, each judged by real OPA from a webhook that went over HTTP."""
    shown = admit("demo", "--once", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for outcome in ("ADMITTED", "DENIED", "HELD", "UNDECIDED"):
        assert re.search(rf"^{outcome} +acme/shop#\d+: ", shown.stdout, re.MULTILINE), shown.stdout
    assert "one of these labels is missing" in shown.stdout
    assert "a release manager has to agree" in shown.stdout
    assert "the facts could not be read" in shown.stdout
    assert len(re.findall(r"/decisions/[\w-]{30,}", shown.stdout)) == 5
    assert "HELD  deploy on cluster: somebody else has to agree to a deployment to production" in shown.stdout
    assert "SUCCEEDED  deploy on cluster: 1 policy passed, ben approved it (tried on staging)" in shown.stdout
    assert len(re.findall(r"/submissions/[\w-]{30,}", shown.stdout)) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        (["good.json"], 0),
        (["bad.json"], 1),
        (["odd.json"], 2),
        (["good.json", "bad.json"], 1),
        (["bad.json", "odd.json"], 2),
        (["none.json"], 2),
    ],
)
def test_check_exits_with_the_worst(folder, inputs, code):
    """0 admitted, 1 denied or held, 2 undecided or not judged."""
    assert admit("check", *inputs, "--policies", "bundle", cwd=folder).returncode == code


def test_check_says_what_is_wrong_with_a_document(folder):
    """With the path and a guess."""
    checked = admit("check", "odd.json", "--policies", "bundle", cwd=folder)
    assert "lables" in checked.stdout
    assert "labels" in checked.stdout


def test_check_says_of_a_number_no_other_machine_reads_alike(folder):
    """Its digest would not identify it: this document is not judged, the others are."""
    (folder / "huge.json").write_text(json.dumps({"version": 1, "change": a_change_document(number=2**60)}))
    checked = admit("check", "huge.json", "good.json", "--policies", "bundle", cwd=folder)
    assert checked.returncode == 2
    assert "every machine reads alike" in checked.stdout
    assert "ADMITTED" in checked.stdout


def test_check_reads_what_editors_write_and_says_what_is_not_there(folder):
    """A byte order mark is no mistake; a name that leads nowhere is told as one."""
    (folder / "marked.json").write_bytes(b"\xef\xbb\xbf" + (folder / "good.json").read_bytes())
    checked = admit("check", "marked.json", "none.json", "--policies", "bundle", cwd=folder)
    assert checked.returncode == 2
    assert re.search(r"^ADMITTED .*\(marked\.json\)$", checked.stdout, re.MULTILINE)
    assert "expected a document at none.json, found: No such file or directory" in checked.stdout


def test_check_reads_standard_input(folder):
    """`-` is one document."""
    checked = admit("check", "-", "--policies", "bundle", "--output", "json", cwd=folder, input=(folder / "bad.json").read_text())
    assert checked.returncode == 1
    (decision,) = json.loads(checked.stdout)
    assert (decision["source"], decision["outcome"], decision["facts"]) == ("-", "denied", "provided")
    assert decision["violations"][0]["remedy"] == "add one"


def test_check_writes_for_machines(folder):
    """JUnit, SARIF and GitHub's commands hold the same reasons, whatever a title holds."""
    junit = ElementTree.fromstring(
        admit("check", "good.json", "bad.json", "odd.json", "--policies", "bundle", "--output", "junit", cwd=folder).stdout
    )
    assert (junit.get("tests"), junit.get("failures"), junit.get("errors")) == ("3", "1", "1")
    sarif = json.loads(admit("check", "bad.json", "--policies", "bundle", "--output", "sarif", cwd=folder).stdout)
    (result,) = sarif["runs"][0]["results"]
    assert result["ruleId"] == "acme/merge.x"
    assert result["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}
    github = admit("check", "bad.json", "--policies", "bundle", "--output", "github", cwd=folder).stdout
    assert github == "::error file=a.py,line=3,title=denied by acme/merge.x::no label → add one\n"


def test_check_lets_no_title_write_to_the_terminal(folder):
    """Escape sequences and line breaks of a title stay out of the output."""
    text = admit("check", "bad.json", "--policies", "bundle", cwd=folder).stdout
    assert "\x1b" not in text
    assert not re.search("^::error", text, re.MULTILINE)


def test_check_judges_as_of_a_time(folder):
    """`--at` is the policies' clock."""
    rego = 'package merge.x\n\ndeny contains sprintf("it is %d", [time.now_ns()]) if true\n'
    (folder / "bundle" / "x.rego").write_text(rego)
    checked = admit("check", "good.json", "--policies", "bundle", "--at", "2026-01-31T12:00:00Z", "--output", "json", cwd=folder)
    assert json.loads(checked.stdout)[0]["reason"] == "it is 1769860800000000000"
    assert admit("check", "good.json", "--policies", "bundle", "--at", "yesterday", cwd=folder).returncode == 2


def test_check_says_where_a_bundle_is_broken(folder):
    """File, line and what stands there, and exit code 2: not the same as a denial."""
    (folder / "bundle" / "x.rego").write_text("package merge.x\n\ndeny contains 1 if input.change.lables\n")
    checked = admit("check", "good.json", "--policies", "bundle", cwd=folder)
    assert checked.returncode == 2
    assert re.search(r"x\.rego:3: .*\n      3 \| deny contains 1 if input\.change\.lables\n", checked.stderr)
    assert "Traceback" not in checked.stderr


def test_init_makes_a_bundle_that_judges(tmp_path):
    """What it writes can be used at once; it never writes over anything."""
    made = admit("init", "policies/acme", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "in.json").write_text(json.dumps({"version": 1, "change": a_change_document()}))
    assert admit("check", "in.json", "--policies", "policies/acme", cwd=tmp_path).returncode == 1
    again = admit("init", "policies/acme", cwd=tmp_path)
    assert again.returncode == 2
    assert "nothing was written" in again.stderr


def test_doctor_tells_what_is_there_and_what_is_missing(folder):
    """Exit 1 and the remedy as soon as something is missing."""
    (folder / "admit.yaml").write_text("bundles: [bundle]\n")
    well = admit("doctor", cwd=folder)
    assert well.returncode == 0, well.stdout
    assert "MISSING" not in well.stdout
    assert "bundle acme" in well.stdout
    assert not list(folder.glob("admit.db*")), "looking changes nothing"
    (folder / "bundle" / "x.rego").write_text("package other\n")
    ill = admit("doctor", "--json", cwd=folder)
    assert ill.returncode == 1
    assert [finding["what"] for finding in json.loads(ill.stdout) if not finding["well"]] == ["bundle bundle"]


def test_doctor_tells_how_targets_are(folder):
    """Who answers there; or that nobody does."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and nobody listens
        port = silent.getsockname()[1]
        (folder / "admit.yaml").write_text(
            "bundles: [bundle]\ntargets:\n  - {name: here, orchestrator: memory, workflows: [deploy]}\n"
            f"  - {{name: prod, orchestrator: temporal, address: '127.0.0.1:{port}', task_queue: q, workflows: [deploy]}}\n"
        )
        told = admit("doctor", "--json", cwd=folder)
    findings = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert (findings["target here"]["well"], findings["target prod"]["well"]) == (True, False)
    assert "deploy" in findings["target here"]["says"]
    assert f"127.0.0.1:{port}" in findings["target prod"]["says"]
    assert told.returncode == 1


def test_migrate_is_repeatable(tmp_path):
    """Twice is as good as once."""
    assert "up to date" in admit("migrate", cwd=tmp_path).stdout
    assert admit("migrate", cwd=tmp_path).stdout == "the database is up to date\n"


@pytest.mark.parametrize("command", ["serve", "demo", "doctor", "check"])
def test_without_an_engine_nothing_pretends_to_judge(folder, command):
    """An install that lacks OPA refuses to start, and prints the command that helps."""
    packages = folder / "packages"
    packages.mkdir()
    for entry in Path(httpx.__file__).parent.parent.iterdir():
        if not entry.name.startswith("opa_"):
            (packages / entry.name).symlink_to(entry)
    arguments = {"check": ["check", "good.json", "--policies", "bundle"], "demo": ["demo", "--once"]}.get(command, [command])
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(packages)))}
    python = [sys.executable, "-S", "-m", "gateway", *arguments]  # -S: without the installed packages, but for those linked above
    tried = subprocess.run(python, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert tried.returncode in {1, 2}
    assert "opa-golib-python-bindings==0.4.4" in tried.stdout + tried.stderr
    assert "--ignore-requires-python" in tried.stdout + tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("databse: x\n", "databse"),
        ("public_url: ftp://x\n", "public_url"),
        ("connections: [{name: work, forge: gitea}]\n", "needs url and token"),
        ("connections: [{name: work, forge: gitea, url: 'http://x', token: plain}]\n", "env:NAME or file:PATH"),
        ("connections: [{name: work, forge: gitea, url: 'http://x', token: 'env:NOT_SET_ANYWHERE'}]\n", "NOT_SET_ANYWHERE"),
        ("connections: [{name: a, forge: memory}, {name: a, forge: memory}]\n", "two connections"),
        ("bundles: [\n", "not YAML"),
        ("- 1\n", "expected keys and values"),
        ("database: oracle://x\n", "sqlite, postgresql or mysql"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_which_key(tmp_path, content, says):
    """One plain message, exit code 2, no traceback."""
    (tmp_path / "admit.yaml").write_text(content)
    tried = admit("serve", cwd=tmp_path)
    assert tried.returncode == 2
    assert says in tried.stderr
    assert "Traceback" not in tried.stderr


@pytest.mark.parametrize("command", ["", "demo", "serve", "check", "init", "doctor", "migrate"])
def test_every_command_has_help_with_an_example(tmp_path, command):
    """`--help` is the first thing anybody tries."""
    shown = admit(*command.split(), "--help", cwd=tmp_path, environment={"COLUMNS": "200"})
    assert shown.returncode == 0
    assert not command or "Example" in shown.stdout


def test_environment_wins_over_the_file(tmp_path):
    """Scalars may come from the environment."""
    (tmp_path / "admit.yaml").write_text("database: oracle://x\n")
    database = tmp_path / "other.db"
    done = admit("migrate", cwd=tmp_path, environment={"ADMIT_DATABASE": f"sqlite:///{database}"})
    assert done.returncode == 0, done.stderr
    assert database.exists()
    assert os.path.getsize(database) > 0


@pytest.mark.parametrize("command", [["log", "verify"], ["replay", "--all"], ["workflow", "list"], ["dead-letters", "list"]])
def test_a_wrong_folder_does_not_read_as_a_whole_record(tmp_path, command):
    """No database is made by looking for one; the folder's lack of a configuration is told."""
    looked = admit(*command, cwd=tmp_path)
    assert looked.returncode == 2
    assert "there is no database" in looked.stderr
    assert "there is no admit.yaml in this folder" in looked.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_told_before_anything_is_done(folder):
    """Neither a database nor the once-only token is spent on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tried = admit("serve", "--port", str(port), cwd=folder)
    assert tried.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in tried.stderr
    assert not list(folder.glob("admit.db*"))


def test_doctor_says_when_nothing_can_be_admitted(tmp_path):
    """Without a bundle there is nothing to pass."""
    told = admit("doctor", cwd=tmp_path)
    assert told.returncode == 1
    assert "nothing can be admitted" in told.stdout
