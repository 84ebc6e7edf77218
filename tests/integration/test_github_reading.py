"""What only GitHub has: lists of thousands, stacks, check runs of Apps, merges in the background, Enterprise Servers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers.errors import Conflict, PermanentError, TemporaryError, TornFacts
from providers.vcs import Applied, ChangeKey, Gap, MergeGroup, MergeMethod, StatusState
from providers.vcs.github import AccessToken, App, GithubForge, GithubSetup
from providers.vcs.github.rights import EVENTS
from providers.vcs.github.transport import api_url_of
from providers.vcs.memory.state import StoredStatus
from providers.vcs.model import ActorKind, Comment
from tests.servers.github import GithubServer, running_github
from tests.servers.github.rest_commits import add_run
from tests.servers.github.state import Identity

pytestmark = pytest.mark.anyio

LENGTHS = [0, 1, 100, 101, 3_001]
"""GitHub's page is 100."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared() -> Iterator[GithubServer]:
    with running_github() as github:
        yield github


@pytest.fixture
def github(shared: GithubServer) -> Iterator[GithubServer]:
    shared.violations.clear()
    yield shared
    assert not shared.violations, "\n".join(shared.violations[:5])


@pytest.fixture
async def forge(github: GithubServer) -> AsyncIterator[GithubForge]:
    async with connected(github) as forge:
        yield forge


@asynccontextmanager
async def connected(github: GithubServer) -> AsyncIterator[GithubForge]:
    credentials = AccessToken(token=github.token("admit"))
    forge = GithubForge(connection="work", url=github.url, credentials=credentials, timeout=240)
    yield forge
    await forge.close()


def a_change(github: GithubServer, name: str, files: dict[str, Any] | None = None, **more: Any) -> tuple[ChangeKey, str]:
    repository = github.forge.create_repository(f"acme/{name}").name
    sha = github.forge.push(repository, "feature", files or {"a.txt": "a\n"})
    return github.forge.open_change(repository, head="feature", **more), sha


# --- long lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
async def test_all_comments(github: GithubServer, forge: GithubForge, length: int) -> None:
    """However many pages they fill, in the order they were made."""
    key, _ = a_change(github, f"discussed-{length}")
    bob, now = github.forge.account("bob"), github.forge.world.clock()
    written = [Comment(user=bob, body=f"comment {number}", created_at=now, edited=False) for number in range(length)]
    github.forge.world.change(key).comments.extend(written)
    change = await forge.read_change(key)
    assert [comment.body for comment in change.comments or ()] == [comment.body for comment in written]


@pytest.mark.parametrize("length", LENGTHS)
async def test_all_checks(github: GithubServer, forge: GithubForge, length: int) -> None:
    """The failing one is not lost on a later page."""
    key, sha = a_change(github, f"checked-{length}")
    statuses = github.forge.world.repository(key.repository).statuses.setdefault(sha, {})
    for number in range(length):
        state = "failure" if number == length - 1 else "success"
        statuses[f"ci/{number:04}"] = StoredStatus(context=f"ci/{number:04}", state=state, description="", target_url="", by="robot")
    change = await forge.read_change(key)
    assert [check.name for check in change.checks] == [f"ci/{number:04}" for number in range(length)]
    assert [check.conclusion for check in change.checks[-1:]] == ["failure"][:length]


@pytest.mark.parametrize("length", [0, 1, 100, 101, 3_000])
async def test_all_files(github: GithubServer, forge: GithubForge, length: int) -> None:
    """As many as GitHub lists."""
    names = [f"files/{number:04}.txt" for number in range(length)]
    key, _ = a_change(github, f"filed-{length}", {"README.md": f"# acme/filed-{length}\n", **dict.fromkeys(names, "x\n")})
    change = await forge.read_change(key)
    assert sorted(file.path for file in change.files) == names


async def test_more_files_than_github_lists_are_a_fault(github: GithubServer, forge: GithubForge) -> None:
    """A part of them would be judged for the whole."""
    key, _ = a_change(github, "crowded", {f"files/{number:04}.txt": "x\n" for number in range(3_001)})
    with pytest.raises(PermanentError, match="at most 3000"):
        await forge.read_change(key)


async def test_all_open_changes(github: GithubServer, forge: GithubForge) -> None:
    """3,001 of them, each once."""
    repository = github.forge.create_repository("acme/busy").name
    with github.forge.silently():
        github.forge.push(repository, "feature", {"a.txt": "a\n"})
        for _ in range(3_001):
            github.forge.open_change(repository, head="feature")
    listed = await forge.open_changes(repository)
    assert sorted(change.key.number for change in listed) == list(range(1, 3_002))


# --- facts ------------------------------------------------------------------------------------------


async def test_a_stack_counts_by_its_bottom_branch(github: GithubServer, forge: GithubForge) -> None:
    """What it stands on is another change's branch, whose rules are not those of where it will land."""
    key, sha = a_change(github, "stacked")
    github.forge.push(key.repository, "upper", {"b.txt": "b\n"}, start="feature")
    upper = github.forge.open_change(key.repository, head="upper", base="feature")
    stack = {"id": 7, "number": 1, "size": 2, "base": {"ref": "main", "sha": "a" * 40}}
    github.state.of(key.repository).stacks.update({key.number: {**stack, "position": 1}, upper.number: {**stack, "position": 2}})

    change, summary = await forge.read_change(upper), await forge.summary(upper)

    assert change.stack is not None
    assert (change.base.ref, change.target_branch, change.stack.position, summary.target_branch) == ("feature", "main", 2, "main")
    with pytest.raises(PermanentError, match="stands on 1 others"):
        await forge.merge(upper, head_sha=change.head.sha, method=MergeMethod.MERGE)
    await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)


async def test_a_second_workflow_does_not_hide_a_failing_check_of_its_name(github: GithubServer, forge: GithubForge) -> None:
    """Of one suite the newest run counts; of two suites both do. Our own are no facts."""
    key, sha = a_change(github, "checked-twice")
    actions = Identity(login="github-actions[bot]", app_id=15368)
    for name, suite, conclusion in (
        ("build", 1, "failure"),
        ("build", 2, "success"),
        ("lint", 1, "failure"),
        ("lint", 1, "success"),
        ("admit/main", 3, "success"),
        ("slow", 1, None),
    ):
        add_run(github.state, key.repository, actions, {"name": name, "head_sha": sha, "conclusion": conclusion, "_suite": suite})

    change = await forge.read_change(key)

    assert [(check.name, check.conclusion, check.source) for check in change.checks] == [
        ("build", "failure", "github-actions"),
        ("build", "success", "github-actions"),
        ("lint", "success", "github-actions"),
        ("slow", None, "github-actions"),
    ]


async def test_an_apps_account_is_a_bot_by_the_login_people_know(github: GithubServer, forge: GithubForge) -> None:
    """GraphQL leaves `[bot]` away, REST and webhooks do not."""
    github.forge.world.account("dependabot[bot]", kind=ActorKind.BOT)
    key, _ = a_change(github, "updated", by="dependabot[bot]")
    author = (await forge.read_change(key)).author
    assert (author.login, author.kind) == ("dependabot[bot]", ActorKind.BOT)


async def test_a_renamed_repository_is_not_found_by_its_old_name(github: GithubServer, forge: GithubForge) -> None:
    """Under the new one everything is there, with the same id."""
    key, _ = a_change(github, "old-name")
    world = github.forge.world
    before = await forge.read_change(key)
    stored = world.repositories.pop(key.repository.lower())
    stored.name = "acme/new-name"
    world.repositories["acme/new-name"] = stored
    for change in stored.changes.values():
        change.head_repository = stored.name

    with pytest.raises(PermanentError):
        await forge.read_change(key)
    after = await forge.read_change(ChangeKey(repository="acme/new-name", number=key.number))
    assert (after.repository.name, after.repository.ref) == ("acme/new-name", before.repository.ref)


# --- merging ----------------------------------------------------------------------------------------


async def test_a_merge_that_takes_its_time_is_asked_for_again(
    github: GithubServer, forge: GithubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that stands already is the one that counts, if it expects the head that was judged."""
    monkeypatch.setattr("providers.vcs.github.merging.LOOKS", (0.0, 0.0))
    key, sha = a_change(github, "slow")
    github.state.slow_merges = True
    with pytest.raises(TemporaryError):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    github.state.slow_merges = False

    landed = await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)

    assert landed == github.forge.world.repository(key.repository).branches["main"]
    assert len(github.state.of(key.repository).merges) == 1


async def test_somebody_elses_merge_of_another_head_is_a_conflict(github: GithubServer, forge: GithubForge) -> None:
    """Its options are not ours, so its success would not be ours either."""
    key, first = a_change(github, "contested")
    github.state.slow_merges = True
    details = {"message": "x", "uuid": "u", "merge_method": "merge", "merge_action": "default", "expected_head_sha": first}
    github.state.of(key.repository).merges["u"] = {"status": "pending", "details": details, "_key": key, "_asked": None}
    second = github.forge.push(key.repository, "feature", {"b.txt": "b\n"})
    with pytest.raises(Conflict):
        await forge.merge(key, head_sha=second, method=MergeMethod.MERGE)
    github.state.slow_merges = False


async def test_members_of_a_group_are_those_down_to_its_base(github: GithubServer, forge: GithubForge) -> None:
    """Not what waits before or behind it; a queue that has moved on, or another last member, is no group."""
    key, _ = a_change(github, "queued")
    shas = ["a" * 40, "b" * 40, "c" * 40, "d" * 40]
    github.state.of(key.repository).queues["main"] = [
        {"headCommit": {"oid": head}, "baseCommit": {"oid": base}, "number": number}
        for number, (base, head) in enumerate(itertools.pairwise(shas), start=1)
    ] + [{"headCommit": None, "baseCommit": None, "number": 9}]

    def a_group(base: str, head: str, last: int) -> MergeGroup:
        ref = f"gh-readonly-queue/main/pr-{last}-{base}"
        return MergeGroup(repository_id="1", repository=key.repository, branch="main", base_sha=base, head_sha=head, ref=ref)

    assert [member.number for member in await forge.group_members(a_group("a" * 40, "d" * 40, 3))] == [1, 2, 3]
    assert [member.number for member in await forge.group_members(a_group("b" * 40, "c" * 40, 2))] == [2]
    for group in (a_group("a" * 40, "e" * 40, 3), a_group("f" * 40, "d" * 40, 3), a_group("a" * 40, "d" * 40, 4)):
        with pytest.raises(TornFacts):
            await forge.group_members(group)
    with pytest.raises(PermanentError):
        await forge.group_members(a_group("a" * 40, "a" * 40, 1))


# --- Enterprise ---------------------------------------------------------------------------------------


async def test_an_enterprise_server_merges_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no merges in the background: that is found out by asking, and everything fits its own description."""
    with running_github(edition="ghes-3.19") as github:
        async with connected(github) as forge:
            key, sha = a_change(github, "enterprise")
            assert "GitHub Enterprise Server 3.19.2" in await forge.probe()
            assert (await forge.read_change(key)).head.sha == sha
            for number in range(2):
                head = sha if number == 0 else github.forge.push(key.repository, "more", {"m.txt": "m\n"})
                change = key if number == 0 else github.forge.open_change(key.repository, head="more")
                landed = await forge.merge(change, head_sha=head, method=MergeMethod.SQUASH)
                assert landed == github.forge.world.repository(key.repository).branches["main"]
            tried = [request.target for request in github.requests if request.target.endswith("merge-async")]
        assert len(tried) == 1
        assert not github.violations, "\n".join(github.violations[:5])


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://github.com/", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.acme.test", "https://git.acme.test/api/v3"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/api/v3"),
    ],
)
def test_where_the_api_is_follows_from_where_people_browse(url: str, api: str) -> None:
    """github.com, a tenant of ghe.com, a server of one's own."""
    assert api_url_of(url) == api


@pytest.mark.parametrize("url", ["", "github.com", "ftp://github.com", "https://ana:secret@github.com", "https://github.com?x=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """Credentials in it would be told in logs."""
    with pytest.raises(ValueError, match="expected GitHub's URL"):
        api_url_of(url)


# --- setting up -----------------------------------------------------------------------------------------


async def test_without_rulesets_the_classic_protection_is_the_gate() -> None:
    """What it says otherwise stays; administrators are bound; asked again it is not touched."""
    with running_github() as github:
        github.state.has_rulesets = False
        repository = github.forge.create_repository("acme/classic").name
        people = {"users": [], "teams": [], "apps": []}
        github.state.of(repository).protections["main"] = {
            "required_status_checks": {"strict": True, "contexts": ["ci"], "checks": [{"context": "ci", "app_id": None}]},
            "enforce_admins": {"url": "https://github.test/", "enabled": False},
            "required_pull_request_reviews": {"required_approving_review_count": 2, "dismiss_stale_reviews": True},
            "allow_force_pushes": {"enabled": True},
        }
        token = AccessToken(token=github.token("acme"))
        setup = GithubSetup(connection="work", url=github.url, credentials=token, account="admit", timeout=240)
        before = {finding.gap for finding in await setup.audit(repository, "main", "ci")}
        applied = [await setup.require(repository, "main", "admit/main", only_gateway_merges=alone) for alone in (False, False, True, True)]

        now = github.state.of(repository).protections["main"]
        assert before == {Gap.ADMINS_EXEMPT, Gap.FORCE_PUSHES_ALLOWED, Gap.OTHERS_MAY_MERGE}
        assert applied == [Applied.UPDATED, Applied.UNCHANGED, Applied.UPDATED, Applied.UNCHANGED]
        assert await setup.audit(repository, "main", "admit/main") == []
        assert [check["context"] for check in now["required_status_checks"]["checks"]] == ["ci", "admit/main"]
        assert (now["required_status_checks"]["strict"], now["enforce_admins"]["enabled"]) == (True, True)
        assert now["required_pull_request_reviews"]["required_approving_review_count"] == 2
        assert {name: [one["login"] for one in now["restrictions"][name]] for name in people} == {**people, "users": ["admit"]}
        await setup.close()
        assert not github.violations, "\n".join(github.violations[:5])


async def test_rules_others_added_to_the_gate_stay(github: GithubServer) -> None:
    """A merge queue in our ruleset, an approval asked for: required again, they are still there."""
    repository = github.forge.create_repository("acme/shared-gate").name
    token = AccessToken(token=github.token("acme"))
    setup = GithubSetup(connection="work", url=github.url, credentials=token, account="admit", timeout=240)
    await setup.require(repository, "main", "admit/main")
    gate = github.state.of(repository).rulesets[0]
    gate["rules"].append({"type": "required_signatures"})
    pull_request = next(rule for rule in gate["rules"] if rule["type"] == "pull_request")
    pull_request["parameters"]["required_approving_review_count"] = 2
    await setup.require(repository, "main", "admit/other")

    rules = {rule["type"]: rule for rule in github.state.of(repository).rulesets[0]["rules"]}
    assert "required_signatures" in rules
    assert rules["pull_request"]["parameters"]["required_approving_review_count"] == 2
    await setup.close()


async def test_each_right_an_app_lacks_is_named(github: GithubServer) -> None:
    """And each event it does not hear of."""
    app, key = github.app("poor", permissions={"checks": "read", "metadata": "read"}, events=["push"])
    forge = GithubForge(connection="work", url=github.url, credentials=App(app_id=str(app.id), private_key=key), timeout=240)
    lacking = await forge.missing_rights(github.forge.create_repository("acme/poor").name)
    assert any("'checks: write'" in one for one in lacking)
    assert any("'contents: write'" in one for one in lacking)
    assert "the App does not subscribe to 'pull_request'" in lacking
    assert not any("'push'" in one for one in lacking)
    await forge.close()


async def test_each_right_a_token_lacks_is_named(github: GithubServer) -> None:
    """A role, a scope of a classic token, a permission of a fine-grained one."""
    repository = github.forge.create_repository("acme/guarded").name
    github.state.of(repository).private = True
    for more, expected in (
        ({"may_write": False}, ["Commit statuses: write", "may not write"]),
        ({"scopes": "read:org"}, ["scope 'repo'"]),
        ({"scopes": "repo, read:org"}, []),
    ):
        credentials = AccessToken(token=github.token("admit", **more))
        forge = GithubForge(connection="work", url=github.url, credentials=credentials, timeout=240)
        lacking = await forge.missing_rights(repository)
        assert len(lacking) == len(expected)
        assert all(words in one for words, one in zip(expected, lacking, strict=True))
        await forge.close()


async def test_an_apps_own_webhook_is_set_for_all_its_repositories(github: GithubServer) -> None:
    """Its events only people can tick, so what is missing is said."""
    app, key = github.app("hooked", permissions={}, events=[event for event in EVENTS if event != "status"])
    repository = github.forge.create_repository("acme/hooked").name
    credentials = App(app_id=str(app.id), private_key=key)
    setup = GithubSetup(connection="work", url=github.url, credentials=credentials, account="hooked[bot]", timeout=240)
    address = "https://gate.test/webhooks/work"
    assert [finding.gap for finding in await setup.audit_webhook(repository, address)] == [Gap.HOOK_MISSING]
    assert await setup.register_webhook(repository, address, "a secret") is Applied.CREATED
    assert (app.hook["url"], app.hook["secret"]) == (address, "a secret")
    found = await setup.audit_webhook(repository, address)
    assert [(finding.gap, "status" in finding.message) for finding in found] == [(Gap.HOOK_TOO_NARROW, True)]
    await setup.close()


async def test_a_check_run_reads_back_as_it_was_reported(github: GithubServer) -> None:
    """Each state; and a status of that name from an account is somebody else's."""
    from tests.contract.vcs.test_acting import a_status

    app, key = github.app("reader", permissions={}, events=[])
    change, sha = a_change(github, "read-back")
    forge = GithubForge(connection="work", url=github.url, credentials=App(app_id=str(app.id), private_key=key), timeout=240)
    assert await forge.own_login() == "reader[bot]"
    for state in StatusState:
        await forge.report(change.repository, sha, a_status(state))
        found = await forge.reported(change.repository, sha, "admit/main")
        assert found is not None
        assert (found.status, found.ours) == (a_status(state), True)
    github.forge.post_status(change.repository, sha, "admit/main", "success", by="mallory")
    forged = await forge.reported(change.repository, sha, "admit/main")
    assert forged is not None
    assert (forged.by, forged.ours) == ("mallory", False)
    await forge.close()
