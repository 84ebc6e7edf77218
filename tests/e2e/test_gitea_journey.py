"""The main job on a real Gitea: a change is denied, approved, admitted, pushed to, denied again; and the branch obeys."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.process import GatewayProcess, admit, eventually
from tests.servers.gitea import Gitea, Project, Pull, User, session_gitea
from tests.servers.relay import relay_to

SECRET = "a webhook secret of the tests"


@pytest.fixture(scope="module")
def gitea() -> Gitea:
    return session_gitea()


@pytest.fixture
def ana(gitea) -> User:
    """The owner of this test's repositories; its gateway looks at no others."""
    return gitea.user(f"ana-{uuid.uuid4().hex[:8]}")


def connection(gitea: Gitea, owner: User, **over: Any) -> dict[str, Any]:
    return {
        "name": "work",
        "forge": "gitea",
        "url": gitea.url,
        "token": "env:GITEA_TOKEN",
        "webhook_secrets": ["env:HOOK_SECRET"],
        "repositories": [f"{owner.login}/*"],
        **over,
    }


@pytest.fixture
def gateway(tmp_path: Path, bundle: Path, gitea: Gitea, ana: User) -> Iterator[GatewayProcess]:
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    process = GatewayProcess(tmp_path, environment=environment, bundles=[str(bundle)], connections=[connection(gitea, ana)])
    with process:
        yield process


def a_project(gitea: Gitea, gateway: GatewayProcess, owner: User) -> Project:
    """A repository whose hook leads to the gateway and whose main wants the gateway's status."""
    project = gitea.fresh_repository(owner)
    project.hook(f"{gateway.url}/webhooks/work", secret=SECRET)
    project.protect("main", enable_status_check=True, status_check_contexts=["admit/main"])
    return project


def status(project: Project, sha: str, context: str = "admit/main") -> dict[str, Any] | None:
    return project.statuses(sha).get(context)


def turned(project: Project, sha: str, state: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = status(project, sha)
        return found if found and found["status"] == state else None

    return eventually(look, f"admit/main to be {state}; it is {status(project, sha)}")


def open_pull(project: Project, name: str = "work") -> tuple[Pull, str]:
    sha = project.write({f"{name}.txt": "one\n"}, branch=name)
    return project.open_pull(name, title=f"Add {name}"), sha


def test_a_change_is_denied_admitted_when_approved_and_denied_again_when_pushed_to(gitea, ana, gateway):
    """The required status follows the facts, and the protected branch refuses the merge meanwhile."""
    project = a_project(gitea, gateway, ana)
    ben = gitea.account("ben")
    project.collaborator(ben)
    pull, sha = open_pull(project)

    denied = turned(project, sha, "failure")
    assert "nobody but the author" in denied["description"]
    page = httpx.get(denied["target_url"])
    assert page.status_code == 200
    assert "ask a colleague for a review" in page.text
    project.wait_mergeable(pull)
    refused = project.merge(pull)
    assert refused.status_code == 405
    assert "status check" in refused.text

    project.review(pull, by=ben)
    turned(project, sha, "success")

    pushed = project.write({"work.txt": "two\n"}, branch="work")
    turned(project, pushed, "failure")
    project.wait_mergeable(pull)
    assert project.merge(pull).status_code == 405

    project.review(pull, by=ben)
    turned(project, pushed, "success")
    project.wait_mergeable(pull)
    eventually(lambda: project.merge(pull).status_code == 200, "the merge to go through")

    outcomes = [decision["outcome"] for decision in reversed(gateway.decisions(repository=project.full_name))]
    assert [outcome for number, outcome in enumerate(outcomes) if number == 0 or outcomes[number - 1] != outcome] == [
        "denied",
        "admitted",
        "denied",
        "admitted",
    ]


def test_a_dry_run_of_a_real_change_reports_nothing(gitea, ana, gateway, bundle, tmp_path):
    """`admit check --change URL` reads the change as the gateway would, and leaves no trace."""
    project = gitea.fresh_repository(gitea.account("zoe"))
    pull, sha = open_pull(project)
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    checked = admit("check", "--change", pull.url, cwd=gateway.folder, environment=environment)
    assert checked.returncode == 1, checked.stderr
    assert "nobody but the author has approved this commit" in checked.stdout
    assert project.statuses(sha) == {}
    assert gateway.decisions(repository=project.full_name) == []


def test_facts_that_do_not_fit_together_end_undecided(gitea, ana, gateway):
    """Close, push, reopen: Gitea shows a new head with old files. Nothing is admitted on that, and a push heals it."""
    project = a_project(gitea, gateway, ana)
    ben = gitea.account("ben")
    project.collaborator(ben)
    pull, sha = open_pull(project)
    project.review(pull, by=ben)
    turned(project, sha, "success")

    project.edit(pull, state="closed")
    pushes = gateway.log_count('"what": "push"')
    hidden = project.write({"unseen.txt": "not in the listing\n"}, branch="work")
    eventually(lambda: gateway.log_count('"what": "push"') > pushes, "Gitea to have worked off the push")
    project.edit(pull, state="open")

    decision = gateway.decided("undecided", repository=project.full_name)
    assert decision["faults"][0]["reason"] == "facts_torn"
    turned(project, hidden, "error")
    assert project.merge(pull).status_code in {405, 409}

    healed = project.write({"work.txt": "two\n"}, branch="work")
    turned(project, healed, "failure")


def test_a_killed_gateway_still_reports_after_its_restart(gitea, ana, tmp_path, bundle):
    """kill -9 between the acknowledgement and the decision: the forge is held back, so the decision cannot have been made."""
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    with relay_to(gitea.url) as relay:
        connections = [connection(gitea, ana, url=relay.url)]
        with GatewayProcess(tmp_path, environment=environment, bundles=[str(bundle)], connections=connections) as gateway:
            project = a_project(gitea, gateway, ana)
            relay.hold()
            _, sha = open_pull(project)
            eventually(lambda: gateway.log_count("pull_request.opened"), "the delivery to be acknowledged")
            gateway.kill()
            relay.release()
            assert project.statuses(sha) == {}
            gateway.start()
            assert gateway.decided("denied", repository=project.full_name)["generation"] == 1
            turned(project, sha, "failure")


def test_a_change_onto_another_branch_has_a_status_of_its_own(gitea, ana, gateway):
    """One commit in two changes: each target branch has its own context, and the worst of a target counts."""
    project = a_project(gitea, gateway, ana)
    project.branch("release")
    sha = project.write({"work.txt": "one\n"}, branch="work")
    first = project.open_pull("work", base="main")
    project.open_pull("work", base="release")
    ben = gitea.account("ben")
    project.collaborator(ben)
    project.review(first, by=ben)
    turned(project, sha, "success")
    eventually(lambda: (found := status(project, sha, "admit/release")) and found["status"] == "failure", "the other branch to be denied")


def test_a_change_whose_webhook_was_lost_is_judged_anyway(gitea, ana, tmp_path, bundle):
    """Gitea sends each delivery at most once; without any hook at all, the listing is enough."""
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    settings = {"bundles": [str(bundle)], "connections": [connection(gitea, ana)], "reconcile_seconds": 0.5}
    project = gitea.fresh_repository(ana)
    ben = gitea.account("ben")
    project.collaborator(ben)
    pull, sha = open_pull(project)
    with GatewayProcess(tmp_path, environment=environment, **settings):
        turned(project, sha, "failure")
        review = project.review(pull, by=ben)
        turned(project, sha, "success")
        project.dismiss(pull, review)
        turned(project, sha, "failure")


def test_a_forged_status_is_replaced(gitea, ana, gateway):
    """Anybody who may write can post any status on Gitea; the gateway's own is put back."""
    project = a_project(gitea, gateway, ana)
    mallory = gitea.account("mallory")
    project.collaborator(mallory)
    _, sha = open_pull(project)
    turned(project, sha, "failure")
    project.status(sha, "admit/main", "success", by=mallory)
    turned(project, sha, "failure")
    assert gateway.log_count("foreign status found under our name") == 1


def test_connect_sets_up_the_forge_and_finds_ways_round_the_gate(gitea, ana, tmp_path, bundle):
    """Hook and required status by one command; again it changes nothing; what is loosened by hand is found and named."""
    project = gitea.fresh_repository(ana)
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    settings = {"bundles": [str(bundle)], "connections": [connection(gitea, ana)]}
    with GatewayProcess(tmp_path, environment=environment, **settings) as gateway:
        command = ("connect", "work", "--require", "main")
        before = admit(*command, "--check", cwd=tmp_path, environment=environment)
        assert before.returncode == 1
        assert "hook_missing" in before.stdout
        assert "status_not_required" in before.stdout

        made = admit(*command, "--only-gateway-merges", cwd=tmp_path, environment=environment)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "webhook to" in made.stdout
        assert "created" in made.stdout
        again = admit(*command, "--only-gateway-merges", cwd=tmp_path, environment=environment)
        assert "created" not in again.stdout, again.stdout
        assert admit(*command, "--check", cwd=tmp_path, environment=environment).returncode == 0

        _, sha = open_pull(project)
        turned(project, sha, "failure")
        assert gateway.log_count("pull_request.opened") == 1

        project.call("PATCH", "/branch_protections/main", json={"enable_push": True, "block_admin_merge_override": False})
        drifted = admit(*command, "--check", cwd=tmp_path, environment=environment)
        assert drifted.returncode == 1
        assert "pushes_allowed" in drifted.stdout
        assert "admins_exempt" in drifted.stdout
        assert admit("connect", "elsewhere", cwd=tmp_path, environment=environment).returncode == 2


def test_a_retargeted_change_is_judged_for_its_new_branch(gitea, ana, gateway):
    """What was said for one branch is not taken for another: the new one gets a status of its own, and its own verdict."""
    project = a_project(gitea, gateway, ana)
    project.branch("release")
    pull, sha = open_pull(project)
    turned(project, sha, "failure")
    project.edit(pull, base="release")
    eventually(lambda: (found := status(project, sha, "admit/release")) and found["status"] == "failure", "the new branch to be denied")
    ben = gitea.account("ben")
    project.collaborator(ben)
    project.review(pull, by=ben)
    eventually(lambda: (found := status(project, sha, "admit/release")) and found["status"] == "success", "the new branch to be admitted")
    assert gateway.decisions(repository=project.full_name, limit=1)[0]["change"]["target_branch"] == "release"
