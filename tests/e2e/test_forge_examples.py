"""The examples that need a forge, run as their READMEs say: on a real Gitea, and on the tests' loopback GitLab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from standardwebhooks import Webhook

from providers.vcs import ChangeKey, Role
from tests.e2e.process import ADMIT, GatewayProcess, eventually
from tests.servers.gitea import session_gitea
from tests.servers.gitlab import GitLab, running_gitlab, ticking_forge

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SIGNING = "whsec_" + "YSBzaWduaW5nIHRva2VuIG9mIHRoZSB0ZXN0cyE="
PROJECT = "acme/group/app"


def a_gateway(example: str, folder: Path, *, url: str, repositories: str, environment: dict[str, str]) -> GatewayProcess:
    """`admit serve` on a copy of the example that differs in nothing but where the forge is, and what is looked at there."""
    shutil.copytree(EXAMPLES / example, folder)
    settings = yaml.safe_load((folder / "admit.yaml").read_text())
    settings.pop("public_url")
    settings["connections"][0] |= {"url": url, "repositories": [repositories]}
    return GatewayProcess(folder, environment=environment, **settings)


def run(gateway: GatewayProcess, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{ADMIT.parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(gateway.folder / script), *arguments]
    surroundings = {**os.environ, "PATH": path, **environment}
    return subprocess.run(command, cwd=gateway.folder, env=surroundings, capture_output=True, text=True, timeout=1700, check=False)


@pytest.mark.timeout(3600)
def test_the_gitea_example_puts_a_gate_up_that_holds(tmp_path):
    """From `connect.sh` to a denied change that Gitea does not merge, and one that is admitted once a colleague approved."""
    gitea = session_gitea()
    owner = gitea.user(f"acme-{uuid.uuid4().hex[:8]}")
    ben, gate = gitea.account("ben"), gitea.account("gatekeeper")
    project = gitea.fresh_repository(owner)
    for account in (ben, gate):
        project.collaborator(account)
    secrets = {
        "GITEA_TOKEN": gitea.token(gate, ["write:repository", "read:issue", "read:user"]),
        "GITEA_SETUP_TOKEN": gitea.token(owner, ["write:repository"]),
        "HOOK_SECRET": "a secret of the example",
    }
    with a_gateway("02-gitea", tmp_path / "gate", url=gitea.url, repositories=f"{owner.login}/*", environment=secrets) as gateway:
        connected = run(gateway, "connect.sh", project.full_name, **secrets)
        assert connected.returncode == 0, connected.stdout + connected.stderr
        assert "nothing is amiss in 1 repository" in connected.stdout

        sha = project.write({"work.txt": "one\n"}, branch="work")
        pull = project.open_pull("work", title="Add work")
        denied = eventually(lambda: said(project.statuses(sha), "failure"), "the change to be denied")
        assert "no colleague has approved the newest commit" in denied["description"]
        project.wait_mergeable(pull)
        assert project.merge(pull).status_code == 405

        project.review(pull, by=ben)
        eventually(lambda: said(project.statuses(sha), "success"), "the change to be admitted")
        assert project.merge(pull, by=ben).status_code == 405  # the gateway alone may merge
    assert_told_nowhere(gateway, secrets, connected)


def assert_told_nowhere(gateway: GatewayProcess, secrets: dict[str, str], *runs: subprocess.CompletedProcess[str]) -> None:
    """No secret is in anything the gateway wrote or printed: log, database, output."""
    written = {path.name: path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file()}
    assert {"admit.db", "serve-1.log", "serve-1.out"} <= written.keys()
    for name, secret in secrets.items():
        assert [file for file, content in written.items() if secret.encode() in content] == [], name
        assert not any(secret in run.stdout + run.stderr for run in runs), name


def said(statuses: dict[str, Any], state: str) -> dict[str, Any] | None:
    found = statuses.get("admit/main")
    return found if found is not None and found["status"] == state else None


@pytest.mark.timeout(3600)
def test_the_gitlab_example_on_each_licence(tmp_path):
    """Ultimate requires the status; Free says that it cannot, and its CI job lets nothing through that is not admitted."""
    forge = ticking_forge()
    forge.create_repository(PROJECT)
    forge.grant(PROJECT, "gatekeeper", Role.WRITER)
    forge.grant(PROJECT, "olga", Role.MAINTAINER)
    with running_gitlab(forge=forge) as gitlab:
        secrets = {
            "GITLAB_TOKEN": gitlab.token("gatekeeper"),
            "GITLAB_SETUP_TOKEN": gitlab.token("olga"),
            "HOOK_SECRET": SIGNING,
        }
        with a_gateway("04-gitlab", tmp_path / "gate", url=gitlab.url, repositories="acme/**", environment=secrets) as gateway:
            gitlab.tier = "free"
            refused = run(gateway, "connect.sh", PROJECT, **secrets)
            assert refused.returncode != 0
            assert "no external status checks" in refused.stdout + refused.stderr

            gitlab.tier = "ultimate"
            connected = run(gateway, "connect.sh", PROJECT, "--only-gateway-merges", **secrets)
            assert connected.returncode == 0, connected.stdout + connected.stderr

            key = forge.open_change(PROJECT, head="work", files={"work.txt": "one\n"}, by="ana")
            deliver(gateway, gitlab, key, "open")
            eventually(lambda: statuses(gitlab, key) == ["failed"], "the change to be denied")
            assert ci_job(gateway, gitlab, key).returncode == 1

            forge.approve(key, by="ben")
            deliver(gateway, gitlab, key, "approved")
            eventually(lambda: statuses(gitlab, key)[-1] == "success", "the change to be admitted")
            passed = ci_job(gateway, gitlab, key)
            assert passed.returncode == 0, passed.stdout + passed.stderr
            assert "passed" in gitlab.project(forge.world.repository(PROJECT)).responses.values()
        assert_told_nowhere(gateway, secrets, connected, refused, passed)
    assert not gitlab.violations, sorted(set(gitlab.violations))


def deliver(gateway: GatewayProcess, gitlab: GitLab, key: ChangeKey, action: str) -> None:
    """What GitLab's signing tokens would send."""
    change = gitlab.forge.world.change(key)
    repository = gitlab.forge.world.repository(key.repository)
    payload = {
        "object_kind": "merge_request",
        "user": {"username": "ana"},
        "project": {"id": int(repository.id), "path_with_namespace": repository.name},
        "object_attributes": {
            "iid": key.number,
            "action": action,
            "updated_at": change.updated_at.isoformat(),
            "last_commit": {"id": change.head_sha},
        },
    }
    body, at, id = json.dumps(payload), datetime.now(UTC), str(uuid.uuid4())
    headers = {
        "X-Gitlab-Event": "Merge Request Hook",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SIGNING).sign(id, at, body),
    }
    answer = httpx.post(f"{gateway.url}/webhooks/work", headers=headers, content=body, timeout=300)
    assert answer.is_success, answer.text


def statuses(gitlab: GitLab, key: ChangeKey) -> list[str]:
    """What the gateway has reported on the head, each turn once."""
    project = gitlab.project(gitlab.forge.world.repository(key.repository))
    posted = [one["status"] for one in project.statuses.get(gitlab.forge.world.change(key).head_sha, [])]
    return [state for place, state in enumerate(posted) if state != "pending" and (place == 0 or posted[place - 1] != state)]


def ci_job(gateway: GatewayProcess, gitlab: GitLab, key: ChangeKey) -> subprocess.CompletedProcess[str]:
    """`ci/wait.sh` with the variables GitLab gives a merge request's job, and no patience."""
    assert gateway.token is not None
    return run(
        gateway,
        "ci/wait.sh",
        CI_MERGE_REQUEST_PROJECT_URL=f"{gitlab.url}/{key.repository}",
        CI_MERGE_REQUEST_IID=str(key.number),
        ADMIT_URL=gateway.url,
        ADMIT_TOKEN=gateway.token,
        ADMIT_PATIENCE="0",
    )
