"""Putting the gate up on a real Gitea, where its own ways of doing things leave gaps that the exam does not know."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.errors import AccessRefused, PermanentError, Unsupported
from providers.vcs import Applied, ChangeEvent, Gap
from providers.vcs.gitea import GiteaForge, GiteaSetup
from tests.servers.gitea import Project, session_gitea
from tests.servers.receiver import Received, receiving

pytestmark = pytest.mark.anyio

HOOK = "http://127.0.0.1:9/webhooks/work"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def project() -> Project:
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    project.collaborator(gitea.account("admit"))
    project.collaborator(gitea.account("bob"))
    return project


@pytest.fixture
async def setup(project: Project) -> AsyncIterator[GiteaSetup]:
    setup = GiteaSetup(connection="work", url=project.gitea.url, token=project.owner.token, account="admit", timeout=240)
    yield setup
    await setup.close()


async def gaps(setup: GiteaSetup, project: Project, branch: str) -> set[Gap]:
    return {finding.gap for finding in await setup.audit(project.full_name, branch, f"admit/{branch}")}


async def test_a_broad_rule_is_split_and_its_demands_are_kept(project: Project, setup: GiteaSetup) -> None:
    """A rule for many branches must not require one branch's status; the branch's own says all the broad one says."""
    project.branch("release/1")
    project.branch("release/2")
    project.protect("release/*", required_approvals=2, enable_push=True, enable_push_whitelist=True, push_whitelist_usernames=["bob"])

    applied = [await setup.require(project.full_name, "release/1", "admit/release/1", only_gateway_merges=True) for _ in range(2)]

    rules = {rule["rule_name"]: rule for rule in project.call("GET", "/branch_protections")}
    assert applied == [Applied.CREATED, Applied.UNCHANGED]
    assert (rules["release/1"]["required_approvals"], rules["release/1"]["push_whitelist_usernames"]) == (2, ["bob"])
    assert rules["release/*"]["status_check_contexts"] in ([], None)
    assert project.call("GET", "/branches/release/1")["effective_branch_protection_name"] == "release/1"
    assert project.call("GET", "/branches/release/2")["effective_branch_protection_name"] == "release/*"
    assert await gaps(setup, project, "release/1") == {Gap.PUSHES_ALLOWED}


async def test_a_rule_that_comes_first_is_found_and_not_overridden(project: Project, setup: GiteaSetup) -> None:
    """The lowest priority wins, not the most exact name; which of the two demands counts is for people to say."""
    await setup.require(project.full_name, "main", "admit/main", only_gateway_merges=True)
    project.call("PATCH", "/branch_protections/main", json={"priority": 9})
    project.protect("**", priority=1, required_approvals=1)

    assert {Gap.RULE_SHADOWED, Gap.STATUS_NOT_REQUIRED} <= await gaps(setup, project, "main")
    with pytest.raises(PermanentError) as refused:
        await setup.require(project.full_name, "main", "admit/main")
    assert "order the rules" in (refused.value.advice or "")


async def test_checks_gitea_cannot_read_are_found(project: Project, setup: GiteaSetup) -> None:
    """An unreadable glob is dropped silently, so a check that looks required is not."""
    project.protect("main", enable_status_check=True, status_check_contexts=["admit/main", "ci/[a-", "ci/[z-a]", "ci/*", "ok[1]"])

    found = await setup.audit(project.full_name, "main", "admit/main")

    (ignored,) = [finding for finding in found if finding.gap is Gap.CHECKS_IGNORED]
    assert "'ci/[a-', 'ci/[z-a]', which" in ignored.message


@pytest.mark.parametrize("pattern", ["ci/[a-", "ci/[z-a]", "ci\\"])
async def test_an_unreadable_check_really_is_dropped(project: Project, pattern: str) -> None:
    """Gitea merges although the second required check was never reported."""
    project.protect("main", enable_status_check=True, status_check_contexts=["ci/one", pattern])
    sha = project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    project.status(sha, "ci/one", "success")
    project.wait_mergeable(pull)

    assert project.merge(pull).status_code == 200


async def test_a_branch_named_like_a_glob_is_not_pretended_to_be_protected(project: Project, setup: GiteaSetup) -> None:
    """Its rule and its status would be read as patterns, and match others or nothing."""
    project.branch("x{1}")
    with pytest.raises(Unsupported):
        await setup.require(project.full_name, "x{1}", "admit/x{1}")
    assert await gaps(setup, project, "x{1}") == {Gap.STATUS_NOT_REQUIRED}


async def test_others_on_the_lists_are_named(project: Project, setup: GiteaSetup) -> None:
    """Who may merge and who may push, beside the gateway's own account."""
    await setup.require(project.full_name, "main", "admit/main", only_gateway_merges=True)
    changes = {
        "merge_whitelist_usernames": ["admit", "bob"],
        "enable_push": True,
        "enable_push_whitelist": True,
        "push_whitelist_usernames": ["admit", "ana"],
        "push_whitelist_deploy_keys": True,
    }
    project.call("PATCH", "/branch_protections/main", json=changes)

    found = {finding.gap: finding.message for finding in await setup.audit(project.full_name, "main", "admit/main")}

    assert found.keys() == {Gap.OTHERS_MAY_MERGE, Gap.PUSHES_ALLOWED}
    assert "lets bob merge" in found[Gap.OTHERS_MAY_MERGE]
    assert "lets ana, deploy keys push" in found[Gap.PUSHES_ALLOWED]


async def test_the_new_secret_signs_what_is_sent(project: Project, setup: GiteaSetup) -> None:
    """PATCH does not change a hook's secret in Gitea 1.26, so the hook is made anew; one delivery comes, not two."""
    with receiving() as receiver:
        for secret in ("old-secret", "new-secret"):
            await setup.register_webhook(project.full_name, receiver.url, secret)
        project.write({"a.txt": "a\n"}, branch="feature")
        project.open_pull("feature")
        opened = receiver.wait(_opened)
        sha = project.branch_sha("feature")
        assert sha is not None
        project.status(sha, "ci/last", "success")
        receiver.wait(lambda request: request.headers["x-gitea-event-type"] == "status")
        assert not any(_opened(request) for request in receiver.requests)
    forge = GiteaForge(connection="work", url=project.gitea.url, token="unused", webhook_secrets=["new-secret"])

    event = forge.parse_delivery(opened.headers, opened.body).event
    await forge.close()

    assert isinstance(event, ChangeEvent)
    assert len(project.call("GET", "/hooks")) == 1


def _opened(request: Received) -> bool:
    return request.headers["x-gitea-event-type"] == "pull_request"


async def test_hooks_that_hold_something_back_are_found(project: Project, setup: GiteaSetup) -> None:
    """Two hooks to one address, one switched off, too few events, a branch filter; registering again mends all of it."""
    config = {"url": HOOK, "content_type": "json", "secret": "s"}
    narrow = {"type": "gitea", "config": config, "events": ["push"], "active": False}
    project.call("POST", "/hooks", json=narrow)
    project.call("POST", "/hooks", json={**narrow, "events": ["pull_request", "status", "push", "delete"], "branch_filter": "main"})

    found = {finding.gap for finding in await setup.audit_webhook(project.full_name, HOOK)}
    await setup.register_webhook(project.full_name, HOOK, "fresh")

    assert found == {Gap.HOOK_TWICE, Gap.HOOK_INACTIVE, Gap.HOOK_TOO_NARROW}
    assert await setup.audit_webhook(project.full_name, HOOK) == []


async def test_other_hooks_are_left_alone(project: Project, setup: GiteaSetup) -> None:
    """They are somebody else's."""
    other = project.hook("http://127.0.0.1:9/other", secret="theirs")
    await setup.register_webhook(project.full_name, HOOK, "ours")
    await setup.register_webhook(project.full_name, HOOK, "ours")

    assert other in [hook["id"] for hook in project.call("GET", "/hooks")]


async def test_who_is_no_administrator_is_told_so(project: Project) -> None:
    """A writer may neither read nor change the rules; nothing is taken for absent because of that."""
    setup = GiteaSetup(connection="work", url=project.gitea.url, token=project.gitea.account("bob").token, account="admit", timeout=240)
    project.protect("main", enable_status_check=True, status_check_contexts=["ci"])
    try:
        for call in (
            setup.register_webhook(project.full_name, HOOK, "s"),
            setup.audit_webhook(project.full_name, HOOK),
            setup.require(project.full_name, "main", "admit/main"),
            setup.audit(project.full_name, "main", "admit/main"),
        ):
            with pytest.raises(AccessRefused) as refused:
                await call
            assert refused.value.advice
    finally:
        await setup.close()
