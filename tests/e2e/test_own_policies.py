"""A repository's own `.admit/` on a real Gitea: read at the target's tip, and at a head that lives in a fork."""

from __future__ import annotations

import uuid

import pytest

from tests.e2e.process import GatewayProcess, admit, eventually, write_bundle
from tests.servers.gitea import session_gitea

SECRET = "a webhook secret of the tests"
OWN = 'package own.title\n\ndeny contains "no full stop" if endswith(input.change.title, ".")\n'
OWN_FILES = {
    ".admit/bundle.yaml": "name: own\npolicies:\n  - package: own.title\n    match: {action: merge}\n",
    ".admit/title.rego": OWN,
    ".admit/.regal/config.yaml": "rules: {}\n",
}


@pytest.fixture(scope="module")
def gitea():
    return session_gitea()


@pytest.fixture
def owner(gitea):
    """Whose repositories the gateway of this test looks at."""
    return gitea.user(f"ana-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def gateway(tmp_path, gitea, owner):
    manifest = "name: acme\npolicies:\n  - package: merge.title\n    match: {action: merge}\n"
    rego = 'package merge.title\n\ndeny contains "work in progress" if startswith(input.change.title, "WIP")\n'
    bundle = write_bundle(tmp_path / "bundle", {"bundle.yaml": manifest, "title.rego": rego})
    connection = {
        "name": "work",
        "forge": "gitea",
        "url": gitea.url,
        "token": "env:GITEA_TOKEN",
        "webhook_secrets": ["env:HOOK_SECRET"],
        "repositories": [f"{owner.login}/*"],
    }
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    with GatewayProcess(tmp_path, environment=environment, bundles=[str(bundle)], connections=[connection]) as process:
        yield process


def newest(gateway, project, pull):
    """The newest decision on a pull request, once there is one."""

    def look():
        found = gateway.decisions(repository=project.full_name, number=pull.number, limit=1)
        return found[0] if found else None

    return eventually(look, f"a decision on {pull.url}")


def test_a_repository_adds_its_own_policies_and_a_fork_cannot_break_them(gitea, owner, gateway):
    """Read at main's tip whatever the head says; a head that would not load is denied with the place; all of it replays."""
    project = gitea.fresh_repository(owner)
    tip = project.write(OWN_FILES)
    project.hook(f"{gateway.url}/webhooks/work", secret=SECRET)

    project.write({"a.txt": "a\n", **dict.fromkeys(OWN_FILES)}, branch="a")
    denied = newest(gateway, project, project.open_pull("a", title="Add a."))
    assert (denied["outcome"], denied["reason"], denied["policies_commit"]) == ("denied", "no full stop", tip)
    assert denied["violations"][0]["policy"] == {"bundle": f"repository:work/{project.id}", "package": "own.title"}

    project.write({"b.txt": "b\n"}, branch="b")
    assert newest(gateway, project, project.open_pull("b", title="Add b"))["outcome"] == "admitted"

    stranger = gitea.account("stranger")
    fork = project.fork(stranger)
    fork.write({".admit/title.rego": OWN.replace("change.title", "change.titel")}, branch="typo")
    broken = newest(gateway, project, project.open_pull("stranger:typo", title="Improve", by=stranger))
    assert broken["outcome"] == "denied"
    assert broken["violations"][0]["location"] == {"path": ".admit/title.rego", "line": 3}
    assert broken["violations"][0]["message"].startswith(".admit/ would not load: input.change.titel")

    again = admit("replay", "--all", cwd=gateway.folder, environment={"GITEA_TOKEN": "-", "HOOK_SECRET": SECRET})
    assert again.returncode == 0, again.stdout
