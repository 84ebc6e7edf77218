"""`admit connect` and `admit doctor` against a loopback GitHub, as an account and as an App."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from providers.vcs.github.rights import EVENTS
from tests.e2e.process import admit, write_bundle
from tests.servers.github import GithubServer, running_github

SECRET = "a webhook secret of the tests"
APP_RIGHTS = {"administration": "write", "checks": "write", "contents": "write", "metadata": "read"}
COMMAND = ("connect", "work", "--require", "main")


@pytest.fixture(scope="module")
def github() -> Iterator[GithubServer]:
    with running_github() as github:
        yield github
        assert not github.violations, "\n".join(github.violations[:5])


class Place:
    """A folder with an `admit.yaml` for one repository, and commands in it."""

    def __init__(self, folder: Path, github: GithubServer, repository: str, environment: Mapping[str, str], **connection: Any) -> None:
        self.folder, self.environment = folder, {"HOOK_SECRET": SECRET, **environment}
        policy = {"bundle.yaml": "name: acme\npolicies: [{package: p}]\n", "p.rego": 'package p\n\ndeny contains "no" if false\n'}
        write_bundle(folder / "acme", policy)
        described = {"name": "work", "forge": "github", "url": github.url, "webhook_secrets": ["env:HOOK_SECRET"], **connection}
        settings = {"public_url": "http://127.0.0.1:9", "bundles": ["acme"], "connections": [{**described, "repositories": [repository]}]}
        (folder / "admit.yaml").write_text(yaml.safe_dump(settings))

    def run(self, *arguments: str) -> Any:
        return admit(*arguments, cwd=self.folder, environment=self.environment)


def test_an_account_is_connected_once_and_drift_is_found(github: GithubServer, tmp_path: Path) -> None:
    """Webhook and required status by one command; again it changes nothing; what is loosened by hand is found and named."""
    repository = github.forge.create_repository("acme/connected").name
    environment = {"TOKEN": github.token("admit"), "ADMIN": github.token("acme")}
    place = Place(tmp_path, github, repository, environment, token="env:TOKEN", setup_token="env:ADMIN")

    before = place.run(*COMMAND, "--check")
    assert before.returncode == 1, before.stderr
    assert "hook_missing" in before.stdout
    assert "status_not_required" in before.stdout
    assert github.state.of(repository).hooks == []

    made = place.run(*COMMAND, "--only-gateway-merges")
    assert made.returncode == 0, made.stdout + made.stderr
    hook = github.state.of(repository).hooks[0]
    assert (hook["config"]["url"], hook["config"]["secret"]) == ("http://127.0.0.1:9/webhooks/work", SECRET)
    assert {"pull_request", "check_run", "merge_group", "status", "push"} <= set(hook["events"])
    again = place.run(*COMMAND, "--only-gateway-merges")
    assert (again.returncode, "created" in again.stdout, len(github.state.of(repository).hooks)) == (0, False, 1)

    github.state.of(repository).rulesets[0]["bypass_actors"] = [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "exempt"}]
    hook["active"] = False
    drifted = place.run(*COMMAND, "--check")
    assert drifted.returncode == 1
    assert "admins_exempt" in drifted.stdout
    assert "administrators (and nothing is recorded of it)" in drifted.stdout
    assert "hook_inactive" in drifted.stdout
    told = "".join(run.stdout + run.stderr for run in (before, made, again, drifted))
    assert not any(secret in told for secret in (*environment.values(), SECRET))


def test_an_app_that_lacks_rights_is_told_which(github: GithubServer, tmp_path: Path) -> None:
    """By connect --check, and by the doctor, who also tells what is left of the allowance."""
    app, key = github.app("gate", permissions=APP_RIGHTS, events=list(EVENTS))
    repository = github.forge.create_repository("acme/app-connected").name
    environment = {"KEY": key.replace("\n", "\\n")}  # as it gets through one line of an environment
    place = Place(tmp_path, github, repository, environment, app_id=app.id, private_key="env:KEY")

    checked = place.run("connect", "work", "--check")
    assert checked.returncode == 1, checked.stderr
    assert "rights_missing: the App lacks the permission 'pull_requests: write'" in checked.stdout

    sick = {finding["what"]: finding for finding in json.loads(place.run("doctor", "--json").stdout)}
    assert "check runs of the App gate[bot]" in sick["connection work"]["says"]
    assert sick["connection work allowance core"]["says"].startswith("4987 of 5000 left until ")
    assert not sick[f"connection work {repository}"]["well"]

    app.permissions |= {"pull_requests": "write", "statuses": "read"}
    made = place.run(*COMMAND)
    assert made.returncode == 0, made.stdout + made.stderr
    required = next(rule for rule in github.state.of(repository).rulesets[0]["rules"] if rule["type"] == "required_status_checks")
    assert required["parameters"]["required_status_checks"] == [{"context": "admit/main", "integration_id": app.id}]
    well = {finding["what"]: finding for finding in json.loads(place.run("doctor", "--json").stdout)}
    assert well["connection work permissions"]["says"] == "all it needs in 1 repository"


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({}, "either token or app_id and private_key"),
        ({"token": "env:TOKEN", "app_id": 7, "private_key": "env:TOKEN"}, "either token or app_id and private_key"),
        ({"app_id": 7}, "both app_id and private_key"),
        ({"app_id": 7, "private_key": "env:TOKEN"}, "expected the App's private key as PEM"),
        ({"token": "env:TOKEN", "url": "https://ana:pw@github.test"}, "without credentials"),
    ],
)
def test_a_connection_that_cannot_be_used_says_why(
    github: GithubServer, tmp_path: Path, connection: Mapping[str, Any], expected: str
) -> None:
    """Before anything is asked of GitHub, and without what is secret."""
    place = Place(tmp_path, github, "acme/nowhere", {"TOKEN": "a-canary-that-is-no-key"}, **connection)
    done = place.run("connect", "work", "--check")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
