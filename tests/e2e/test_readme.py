"""What the README tells people to type works, and what it promises is there."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from gateway.api.app import create_app
from gateway.api.rates import Limits
from gateway.config import Settings
from policies.relations.starter import starter_text
from tests.e2e.process import ADMIT, admit

ROOT = Path(__file__).parent.parent.parent
STARTER_MODEL = starter_text()
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, also those inside a list."""
    return [textwrap.dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)]


def test_the_two_commands_stand_at_the_top():
    """A newcomer finds them at once, and the Makefile has them."""
    first = blocks("sh")[0]
    targets = re.findall(r"^make (\w+)", first, re.MULTILINE)
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([\w-]+)`", README) + targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_two_minutes_are_as_told(tmp_path):
    """`admit init`, then `admit check` on the example: denied, since nobody has approved it."""
    commands = next(block for block in blocks("sh") if "admit init" in block).strip().splitlines()
    shutil.copytree(ROOT / "examples" / "01-dry-run", tmp_path / "examples" / "01-dry-run")
    results = [admit(*command.removeprefix("admit ").split(), cwd=tmp_path) for command in commands if command.startswith("admit ")]
    assert [result.returncode for result in results] == [0, 1], results


def test_the_policy_shown_is_one(tmp_path):
    """The README's Rego loads and judges."""
    (rego,) = blocks("rego")
    package = re.search(r"^package (\S+)", rego, re.MULTILINE).group(1)
    (tmp_path / "bundle.yaml").write_text(f"name: readme\npolicies:\n  - package: {package}\n    match: {{action: merge}}\n")
    (tmp_path / "policy.rego").write_text(rego)
    checked = admit("check", ROOT / "examples" / "01-dry-run" / "change.json", "--policies", tmp_path, cwd=tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert "this change has no label" in checked.stdout


def test_the_configuration_shown_is_one(monkeypatch):
    """Every key of the README's admit.yaml is known, and every key of Settings stands in the table."""
    monkeypatch.setenv("GITEA_TOKEN", "x")
    monkeypatch.setenv("HOOK_SECRET", "a webhook secret of the tests")
    shown = next(block for block in blocks("yaml") if "connections:" in block)
    Settings.model_validate(yaml.safe_load(shown))
    monkeypatch.setenv("ARGO_TOKEN", "x")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "x")
    targets = next(block for block in blocks("yaml") if block.startswith("targets:"))
    orchestrators = {target.orchestrator for target in Settings.model_validate(yaml.safe_load(targets)).targets}
    assert orchestrators == set(re.findall(r"^\| `(\w+)` \| a ", README, re.MULTILINE))
    for key in Settings.model_fields:
        assert f"| `{key}` |" in README, key


def test_the_submitting_shown_is_one():
    """The workflows and approvals are configuration, and the relation named is one of the starter model's."""
    shown = yaml.safe_load(next(block for block in blocks("yaml") if block.startswith("workflows:")))
    settings = Settings.model_validate(shown)
    assert [workflow.name for workflow in settings.workflows] == ["deploy"]
    assert f"define {settings.approvals.same_person}:" in STARTER_MODEL


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`admit (\w+)[^`]*`", README))))
def test_every_command_named_exists(tmp_path, command):
    """No command of the README is a wish."""
    assert ADMIT.exists()
    assert admit(command, "--help", cwd=tmp_path).returncode == 0


def test_the_case_shown_is_one(tmp_path):
    """It fits the bundle `admit init` writes, and comes out as it says."""
    case = next(block for block in blocks("yaml") if block.startswith("cases:"))
    assert admit("init", "acme", cwd=tmp_path).returncode == 0
    (tmp_path / "acme" / "cases" / "readme.case").write_text(case)
    tried = admit("test", "acme", cwd=tmp_path)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "an approval of an older commit is none" in admit("test", "acme", "--output", "json", cwd=tmp_path).stdout


def test_the_paths_shown_are_routes(tmp_path):
    """Every path of the HTTP section is served: it is in the OpenAPI document, or it is a page."""
    app = create_app(SimpleNamespace(version="0", tokens=None, hosts=(), limits=Limits(), public_url="http://127.0.0.1:8080"))
    served = {re.sub(r"{[^}]+}", "{}", path) for path in app.openapi()["paths"]} | {
        "/",
        "/docs",
        "/decisions/{}",
        "/workflows",
        "/dead-letters",
    }
    section = README[README.index("## Over HTTP") : README.index("## Install without make")].split("```")[0]
    shown = {path for written in re.findall(r"`(?:[A-Z|]+ )?(/[^`\s]*)`", section) for path in _each(written)}
    shown -= {"/v1"}
    assert len(shown) > 15
    for path in shown:
        assert re.sub(r"{[^}]+}", "{}", path) in served, path


def _each(written: str) -> set[str]:
    """`/a[/b[/c]]` → `/a`, `/a/b`, `/a/b/c`."""
    parts = written.replace("]", "").split("[")
    return {"".join(parts[:count]) for count in range(1, len(parts) + 1)}


def test_every_path_named_exists():
    """Links lead somewhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
