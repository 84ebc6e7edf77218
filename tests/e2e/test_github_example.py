"""The example of a GitHub App, run as its README says, on the tests' loopback GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import yaml

from providers.vcs import ChangeKey
from providers.vcs.github.rights import EVENTS, OF_AN_APP, OF_MEMBERS
from tests.e2e.process import ADMIT, GatewayProcess, eventually
from tests.servers.github import GithubServer, running_github
from tests.servers.github_payloads import github_headers

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "03-github-app"
SECRET = "a secret of the example"
REPOSITORY = "acme/app"


def test_the_readme_asks_for_all_that_is_needed():
    """Each permission with its level, and each event."""
    text = (EXAMPLE / "README.md").read_text()
    told = dict(re.findall(r"\| `(\w+)` \| (\w+) \|", text))
    needed = {name: level for name, (level, _) in OF_AN_APP.items()}
    assert {name: told.get(name) for name in needed} == needed
    assert [event for event in EVENTS if event not in OF_MEMBERS and f"`{event}`" not in text] == []


def test_an_app_puts_a_gate_up_that_holds(tmp_path):
    """From `connect.sh` to a check run that names the file, a merge GitHub refuses, and one it does not."""
    with running_github() as github:
        rights = {name: level for name, (level, _) in OF_AN_APP.items()}
        app, key = github.app("gate", permissions=rights, events=[event for event in EVENTS if event not in OF_MEMBERS])
        github.forge.create_repository(REPOSITORY)
        secrets = {"GITHUB_PRIVATE_KEY": key, "GITHUB_SETUP_TOKEN": github.token("acme"), "HOOK_SECRET": SECRET}
        shutil.copytree(EXAMPLE, tmp_path / "gate")
        settings = yaml.safe_load((EXAMPLE / "admit.yaml").read_text())
        settings.pop("public_url")
        settings["connections"][0] |= {"url": github.url, "app_id": app.id}
        with GatewayProcess(tmp_path / "gate", environment=secrets, **settings) as gateway:
            path = f"{ADMIT.parent}{os.pathsep}{os.environ['PATH']}"
            command, surroundings = [str(gateway.folder / "connect.sh"), REPOSITORY], {**os.environ, "PATH": path, **secrets}
            ran = subprocess.run(command, cwd=gateway.folder, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert "nothing is amiss in 1 repository" in ran.stdout
            assert app.hook["url"] == f"{gateway.url}/webhooks/work"

            sha = github.forge.push(REPOSITORY, "work", {".github/workflows/release.yml": "on: push\n"})
            change = github.forge.open_change(REPOSITORY, head="work", by="ana")
            deliver(gateway, github, change, "opened")
            denied = eventually(lambda: run_of(github, sha, "failure"), "the change to be denied")
            assert [one["path"] for one in denied["_annotations"]] == [".github/workflows/release.yml"]
            assert merged(github, change) == 405

            github.forge.approve(change, by="ben")
            deliver(gateway, github, change, "review_requested")
            eventually(lambda: run_of(github, sha, "success"), "the change to be admitted")
            assert merged(github, change) == 200
            logs = ran.stdout + ran.stderr + "".join(path.read_text() for path in gateway.folder.glob("*.log"))
            assert not any(secret in logs for secret in (*secrets.values(), *github.state.tokens))
    assert not github.violations, "\n".join(github.violations[:5])


def deliver(gateway: GatewayProcess, github: GithubServer, key: ChangeKey, action: str) -> None:
    change, stored = github.forge.world.change(key), github.forge.world.repository(key.repository)
    updated = change.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    pull = {"number": key.number, "head": {"sha": change.head_sha}, "updated_at": updated}
    body = json.dumps({"action": action, "pull_request": pull, "repository": {"id": int(stored.id), "full_name": stored.name}}).encode()
    headers = github_headers("pull_request", body, SECRET, delivery=f"{action}-{updated}")
    assert httpx.post(f"{gateway.url}/webhooks/work", headers=headers, content=body, timeout=300).status_code == 202


def run_of(github: GithubServer, sha: str, conclusion: str) -> Any:
    """The newest check run of the gate, once it has come to that."""
    runs = [run for run in github.state.of(REPOSITORY).runs if run["head_sha"] == sha and run["name"] == "admit/main"]
    return runs[-1] if runs and runs[-1]["conclusion"] == conclusion else None


def merged(github: GithubServer, key: ChangeKey) -> int:
    """What GitHub answers somebody who wants to merge."""
    headers = {"Authorization": f"token {github.token('ana')}"}
    address = f"{github.url}/api/v3/repos/{key.repository}/pulls/{key.number}/merge"
    return httpx.put(address, headers=headers, json={"merge_method": "merge"}, timeout=300).status_code
