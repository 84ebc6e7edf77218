"""What only GitLab does, on a loopback GitLab of the tests: long lists, diffs that are made later, pipelines, status checks,
merge trains, licences. Nothing here was compared with a running GitLab.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from providers.errors import AccessRefused, Conflict, NotFound, PermanentError, TemporaryError, TornFacts
from providers.vcs import ChangeKey, Comment, MergeGroupEvent, MergeMethod, ReviewState, Role, Status, StatusState
from providers.vcs.gitlab import GitLabForge, reading
from tests.servers.gitlab import GitLab, running_gitlab, ticking_forge

pytestmark = pytest.mark.anyio

PROJECT = "acme/group/web"
BRANCH_RULE = {"id": 5, "name": "main", "push_access_levels": [], "merge_access_levels": [], "allow_force_push": False}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """A project where the gateway is a developer."""
    forge = ticking_forge()
    forge.create_repository(PROJECT)
    forge.grant(PROJECT, "admit", Role.WRITER)
    with running_gitlab(forge=forge) as gitlab:
        yield gitlab
    assert not gitlab.violations, sorted(set(gitlab.violations))


@pytest.fixture
async def forge(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitLabForge]:
    monkeypatch.setattr(reading, "PAUSES", (0.0, 0.0, 0.0))
    forge = GitLabForge(connection="work", url=gitlab.url, token=gitlab.token("admit"), webhook_secrets=["s"], timeout=240)
    yield forge
    await forge.close()


def a_change(gitlab: GitLab, branch: str = "feature", **more: object) -> tuple[ChangeKey, str]:
    key = gitlab.forge.open_change(PROJECT, head=branch, files={f"{branch}.txt": "a\n"}, **more)
    return key, gitlab.forge.world.change(key).head_sha


def a_status(state: StatusState, description: str = "", context: str = "admit/main") -> Status:
    return Status(context=context, state=state, description=description, target_url="http://gate.test/d/1")


def kept(gitlab: GitLab):
    """What the server keeps of the project."""
    return gitlab.project(gitlab.forge.world.repository(PROJECT))


async def test_three_thousand_commits_and_notes_are_read_whole(gitlab: GitLab, forge: GitLabForge) -> None:
    """31 pages of each; the failing status is on the last page."""
    for number in range(3_000):
        gitlab.forge.push(PROJECT, "feature", {}, message=f"commit {number}")
    key, sha = a_change(gitlab)
    bob, world = gitlab.forge.account("bob"), gitlab.forge.world
    world.change(key).comments.extend(
        Comment(user=bob, body=f"comment {number}", created_at=world.clock(), edited=False) for number in range(3_001)
    )
    author = {"id": 7, "username": "robot", "name": "robot", "state": "active"}
    base = {"ref": "feature", "pipeline_id": 1, "sha": sha, "author": author, "description": None, "target_url": None}
    kept(gitlab).statuses[sha] = [
        {**base, "id": n, "name": f"ci/{n:04}", "status": "failed" if n == 3_001 else "success", "allow_failure": False}
        for n in range(1, 3_002)
    ]

    change = await forge.read_change(key)

    assert [commit.message for commit in change.commits] == [*(f"commit {number}" for number in range(3_000)), "Write"]
    assert [comment.body for comment in change.comments or ()] == [f"comment {number}" for number in range(3_001)]
    assert [check.name for check in change.checks if check.conclusion == "failure"] == ["ci/3001"]
    assert len(change.checks) == 3_001


async def test_a_typical_change_costs_fourteen_reads_and_four_calls_to_report(gitlab: GitLab, forge: GitLabForge) -> None:
    """20 files, 3 reviews, 5 checks, 10 comments; a look at the idle project costs one."""
    gitlab.forge.push(PROJECT, "feature", {f"{number}.txt": "x\n" for number in range(19)})
    key, sha = a_change(gitlab)
    for number in range(10):
        gitlab.forge.comment(key, f"comment {number}", by="bob")
    for login in ("bob", "carol", "dave"):
        gitlab.forge.approve(key, by=login)
    author = {"id": 7, "username": "robot", "name": "robot", "state": "active"}
    base = {"ref": "feature", "pipeline_id": 1, "sha": sha, "author": author, "description": None, "target_url": None}
    kept(gitlab).statuses[sha] = [{**base, "id": n, "name": f"ci/{n}", "status": "success", "allow_failure": False} for n in range(5)]

    change = await forge.read_change(key)
    read = len(gitlab.requests)
    await forge.report(PROJECT, sha, a_status(StatusState.PENDING))
    reported = len(gitlab.requests)
    await forge.open_changes(PROJECT)

    assert (len(change.files), len(change.reviews), len(change.checks), len(change.comments or ())) == (20, 3, 5, 10)
    assert (read, reported - read, len(gitlab.requests) - reported) == (14, 4, 1)


async def test_a_diff_that_is_still_made_is_waited_for(gitlab: GitLab, forge: GitLabForge) -> None:
    """Four readings find none: the facts are torn, never a change without files."""
    key, _ = a_change(gitlab)
    gitlab.unprepared.add(key)

    with pytest.raises(TornFacts, match="still preparing"):
        await forge.read_change(key)
    assert sum(request.endswith("/merge_requests/1") for request in gitlab.requests) == 4
    gitlab.unprepared.clear()
    assert (await forge.read_change(key)).files


async def test_a_diff_against_the_branch_before_is_not_taken(gitlab: GitLab, forge: GitLabForge) -> None:
    """Retargeted from a branch that has the hidden file to main, with the diff not made anew yet: it would not show it."""
    gitlab.forge.push(PROJECT, "release", {"hidden.txt": "h\n"})
    gitlab.forge.push(PROJECT, "feature", {"seen.txt": "s\n"}, start="release")
    key = gitlab.forge.open_change(PROJECT, head="feature", base="release")
    before = gitlab.diff_refs(key)
    gitlab.forge.retarget(key, "main")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitLab, "diff_refs", lambda self, key: before)
        with pytest.raises(TornFacts, match="not on 'main'"):
            await forge.read_change(key)
    assert sorted(file.path for file in (await forge.read_change(key)).files) == ["hidden.txt", "seen.txt"]


async def test_a_merge_request_without_a_head_does_not_hide_the_others(gitlab: GitLab, forge: GitLabForge) -> None:
    """GitLab lists one that has no commit yet with a null sha."""
    key, _ = a_change(gitlab)
    empty, _ = a_change(gitlab, "empty")
    shown = GitLab.merge_request

    def without(self, asked, *, whole):
        told = shown(self, asked, whole=whole)
        return {**told, "sha": None} if asked == empty else told

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitLab, "merge_request", without)
        assert [change.key for change in await forge.open_changes(PROJECT)] == [key]


async def test_more_files_than_gitlab_lists_are_a_fault(gitlab: GitLab, forge: GitLabForge) -> None:
    """`1000+` says that some are left out."""
    key, _ = a_change(gitlab)
    gitlab.overflowing.add(key)
    with pytest.raises(PermanentError, match="more than GitLab lists"):
        await forge.read_change(key)


async def test_an_approval_is_of_the_version_that_was_newest_then(gitlab: GitLab, forge: GitLabForge) -> None:
    """A push after it leaves it on the version before; one taken back stays, as dismissed."""
    key, first = a_change(gitlab)
    gitlab.forge.approve(key, by="bob")
    gitlab.forge.review(key, by="carol", state=ReviewState.CHANGES_REQUESTED)
    second = gitlab.forge.push(PROJECT, "feature", {"b.txt": "b\n"})
    gitlab.forge.approve(key, by="dave")
    gitlab.forge.dismiss(key, of="bob")

    reviews = {review.user.login: (review.state, review.commit_sha, review.dismissed) for review in (await forge.read_change(key)).reviews}

    assert reviews == {
        "bob": (ReviewState.APPROVED, None, True),
        "carol": (ReviewState.CHANGES_REQUESTED, first, False),
        "dave": (ReviewState.APPROVED, second, False),
    }


async def test_who_wrote_a_commit_and_whether_it_is_signed(gitlab: GitLab, forge: GitLabForge) -> None:
    """REST does not say; the accounts are those GraphQL names."""
    gitlab.forge.push(PROJECT, "feature", {"s.txt": "s\n"}, by="ana", verified=True)
    key, _ = a_change(gitlab, by="bob")

    commits = (await forge.read_change(key)).commits

    told = [(commit.author.actor.login if commit.author.actor else None, commit.verified) for commit in commits]
    assert told == [("ana", True), ("bob", False)]
    assert all(commit.author.actor == commit.committer.actor for commit in commits)


async def test_without_dependencies_gitlab_cannot_say(gitlab: GitLab, forge: GitLabForge) -> None:
    """Where the server has no such endpoint."""
    gitlab.tier = "free"
    key, _ = a_change(gitlab)
    assert (await forge.read_change(key)).dependencies is None


async def test_a_fork_we_may_not_see_has_no_name(gitlab: GitLab, forge: GitLabForge) -> None:
    """It is a fork all the same."""
    fork = gitlab.forge.fork(PROJECT, by="dora").name
    gitlab.forge.world.repository(fork).public = False
    gitlab.forge.push(fork, "feature", {"a.txt": "a\n"}, by="dora")
    key = gitlab.forge.open_change(PROJECT, head="feature", source=fork, by="dora")

    head = (await forge.read_change(key)).head

    assert (head.fork, head.repository) == (True, None)


# --- statuses -----------------------------------------------------------------------------------------


async def test_a_pending_status_gets_a_new_text(gitlab: GitLab, forge: GitLabForge) -> None:
    """GitLab refuses to make what is pending pending again. The same text twice changes nothing, so that no event comes of it."""
    _, sha = a_change(gitlab)
    seen = []
    for text in ("judging", "waits for ana", "waits for ana", "waits for ben", "waits for ben"):
        await forge.report(PROJECT, sha, a_status(StatusState.PENDING, text))
        seen.append([(one["status"], one["description"]) for one in kept(gitlab).statuses[sha]])
        found = await forge.reported(PROJECT, sha, "admit/main")
        assert found is not None
        assert (found.status, found.ours) == (a_status(StatusState.PENDING, text), True)

    assert seen[0] == [("pending", "judging")]
    assert seen[1] == seen[2] == [("running", "waits for ana")]
    assert seen[3] == seen[4] == [("canceled", "waits for ben"), ("pending", "waits for ben")]


async def test_a_status_goes_into_the_pipeline_that_decides(gitlab: GitLab, forge: GitLabForge) -> None:
    """The merge request's newest one for that head; without one, the source branch has to do."""
    key, sha = a_change(gitlab)
    await forge.report(PROJECT, sha, a_status(StatusState.PENDING))
    project_id = int(gitlab.forge.world.repository(PROJECT).id)
    ref = f"refs/merge-requests/{key.number}/head"
    pipelines = [{"id": id, "sha": head, "ref": ref, "project_id": project_id} for id, head in ((11, sha), (12, sha), (13, "f" * 40))]
    kept(gitlab).pipelines[key.number] = pipelines
    await forge.report(PROJECT, sha, a_status(StatusState.SUCCESS))

    places = [(status["ref"], status["pipeline_id"]) for status in kept(gitlab).statuses[sha]]

    assert places == [("feature", 1), (ref, 12)]


async def test_a_fork_s_pipeline_is_not_ours_to_post_into(gitlab: GitLab, forge: GitLabForge) -> None:
    """It is in another project."""
    key, sha = a_change(gitlab)
    kept(gitlab).pipelines[key.number] = [{"id": 11, "sha": sha, "ref": "feature", "project_id": 4711}]
    await forge.report(PROJECT, sha, a_status(StatusState.SUCCESS))
    assert [status["pipeline_id"] for status in kept(gitlab).statuses[sha]] == [1]


@pytest.fixture
def check(gitlab: GitLab) -> int:
    """An external status check of the gateway's name on main; its number."""
    kept(gitlab).rules.append(dict(BRANCH_RULE))
    kept(gitlab).checks.append(
        {"id": 9, "name": "admit/main", "project_id": 1, "external_url": "http://gate.test/", "hmac": False, "protected_branches": []}
    )
    return 9


@pytest.mark.parametrize(
    ("state", "answer"),
    [(StatusState.SUCCESS, "passed"), (StatusState.PENDING, "pending"), (StatusState.FAILURE, "failed"), (StatusState.ERROR, "failed")],
)
async def test_an_external_status_check_is_answered_too(
    gitlab: GitLab, forge: GitLabForge, check: int, state: StatusState, answer: str
) -> None:
    """For every open merge request with that head onto that branch; `passed` for admitted, and nothing else."""
    key, sha = a_change(gitlab)
    other = gitlab.forge.open_change(PROJECT, head="feature", base="main", title="once more")
    await forge.report(PROJECT, sha, a_status(state))
    assert kept(gitlab).responses == {(number, sha, check): answer for number in (key.number, other.number)}


async def test_an_answer_for_a_head_that_has_moved_is_no_fault(gitlab: GitLab, forge: GitLabForge, check: int) -> None:
    """GitLab refuses it with 409 where the push comes between; the new head is judged by itself."""
    _, sha = a_change(gitlab)
    answer = GitLab.answer

    def pushed_meanwhile(self, method, target, headers, body):
        if target.endswith("/status_check_responses"):
            self.forge.push(PROJECT, "feature", {"b.txt": "b\n"})
        return answer(self, method, target, headers, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitLab, "answer", pushed_meanwhile)
        await forge.report(PROJECT, sha, a_status(StatusState.SUCCESS))
    assert kept(gitlab).responses == {}


async def test_an_answer_somebody_else_gave_is_a_forgery(gitlab: GitLab, forge: GitLabForge, check: int) -> None:
    """Whoever may approve may answer: `passed` where we did not say success is seen, and replaced by the next report."""
    key, sha = a_change(gitlab)
    await forge.report(PROJECT, sha, a_status(StatusState.FAILURE, "nobody approved"))
    kept(gitlab).responses[(key.number, sha, check)] = "passed"

    forged = await forge.reported(PROJECT, sha, "admit/main")
    await forge.report(PROJECT, sha, a_status(StatusState.FAILURE, "nobody approved"))
    replaced = await forge.reported(PROJECT, sha, "admit/main")

    assert forged is not None
    assert replaced is not None
    assert (forged.ours, forged.status.state) == (False, StatusState.SUCCESS)
    assert (replaced.ours, replaced.status.state) == (True, StatusState.FAILURE)


@pytest.mark.parametrize("tier", ["free", "premium"])
async def test_a_licence_without_status_checks_answers_401(gitlab: GitLab, forge: GitLabForge, tier: str) -> None:
    """As to a wrong token; it is told apart, and a wrong one is still a fault."""
    gitlab.tier = tier
    _, sha = a_change(gitlab)
    await forge.report(PROJECT, sha, a_status(StatusState.SUCCESS))
    assert (await forge.reported(PROJECT, sha, "admit/main")) is not None
    gitlab.tokens.clear()
    with pytest.raises(AccessRefused):
        await forge.report(PROJECT, sha, a_status(StatusState.FAILURE))


# --- merging ------------------------------------------------------------------------------------------


async def test_a_merge_while_gitlab_looks_for_conflicts_is_tried_again(gitlab: GitLab, forge: GitLabForge) -> None:
    """405 is transient then."""
    key, sha = a_change(gitlab)
    gitlab.checking[key] = 1
    with pytest.raises(TemporaryError, match="checking") as refused:
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    assert refused.value.retry_after is not None
    assert await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)


async def test_who_may_not_merge_is_told_what_is_lacking(gitlab: GitLab, forge: GitLabForge) -> None:
    """GitLab says 401, and the token is fine."""
    kept(gitlab).rules.append(dict(BRANCH_RULE))
    key, sha = a_change(gitlab)
    with pytest.raises(AccessRefused) as refused:
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    assert "protected branches" in (refused.value.advice or "")


async def test_a_project_that_rebases_does(gitlab: GitLab, forge: GitLabForge) -> None:
    """Where its settings say so."""
    kept(gitlab).settings["merge_method"] = "ff"
    key, sha = a_change(gitlab)
    landed = await forge.merge(key, head_sha=sha, method=MergeMethod.REBASE)
    assert landed == gitlab.forge.world.repository(PROJECT).branches["main"]


async def test_a_project_with_merge_trains_is_not_driven_past(gitlab: GitLab, forge: GitLabForge) -> None:
    """The merge request boards the train, guarded by its head, and has not landed before the train arrives."""
    kept(gitlab).settings["merge_trains_enabled"] = True
    key, sha = a_change(gitlab)
    with pytest.raises(Conflict):
        await forge.merge(key, head_sha="f" * 40, method=MergeMethod.MERGE)
    for _ in range(2):
        with pytest.raises(TemporaryError, match="merge train"):
            await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    assert kept(gitlab).train == [key.number]
    landed = gitlab.forge.merge_outside(key, by="train")
    assert await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE) == landed
    assert not any("/merge " in request or request.endswith("/merge") for request in gitlab.requests)


def on_train(gitlab: GitLab, number: int, head: str) -> bytes:
    """The pipeline delivery of a train's head."""
    repository = gitlab.forge.world.repository(PROJECT)
    payload = {
        "object_attributes": {"ref": f"refs/merge-requests/{number}/train", "sha": head, "before_sha": "0" * 40, "status": "pending"},
        "merge_request": {"iid": number, "target_branch": "main"},
        "project": {"id": int(repository.id), "path_with_namespace": PROJECT},
        "user": {"username": "ana"},
    }
    return json.dumps(payload).encode()


async def test_a_train_s_head_stands_for_all_up_to_it(gitlab: GitLab, forge: GitLabForge) -> None:
    """Members are those before it on the train too; a status on it goes into the train's own pipeline."""
    keys = [a_change(gitlab, f"feature-{number}")[0] for number in range(3)]
    project_id = int(gitlab.forge.world.repository(PROJECT).id)
    head = gitlab.forge.world.change(keys[1]).head_sha
    ref = f"refs/merge-requests/{keys[1].number}/train"
    project = kept(gitlab)
    project.settings["merge_trains_enabled"] = True
    project.train = [key.number for key in keys]
    project.pipelines[keys[1].number] = [{"id": 21, "sha": head, "ref": ref, "project_id": project_id}]
    headers = {"X-Gitlab-Event": "Pipeline Hook", "X-Gitlab-Token": "s", "Idempotency-Key": "k"}

    event = forge.parse_delivery(headers, on_train(gitlab, keys[1].number, head)).event
    assert isinstance(event, MergeGroupEvent)
    assert (event.ended, event.group.branch, event.group.head_sha) == (False, "main", head)
    assert await forge.group_members(event.group) == tuple(keys[:2])

    project.pipelines[keys[1].number] = []
    with pytest.raises(TornFacts):
        await forge.group_members(event.group)
    project.train = [keys[0].number]
    with pytest.raises(TornFacts):
        await forge.group_members(event.group)


async def test_a_status_of_a_trains_head_goes_into_its_pipeline(gitlab: GitLab, forge: GitLabForge) -> None:
    """No merge request has it as its head."""
    key, _ = a_change(gitlab)
    head = gitlab.forge.push(PROJECT, "train", {"t.txt": "t\n"})
    ref = f"refs/merge-requests/{key.number}/train"
    kept(gitlab).pipelines[key.number] = [{"id": 31, "sha": head, "ref": ref, "project_id": 1}]
    await forge.report(PROJECT, head, a_status(StatusState.SUCCESS))
    assert [(one["ref"], one["pipeline_id"]) for one in kept(gitlab).statuses[head]] == [(ref, 31)]


# --- rights and limits ---------------------------------------------------------------------------------


async def test_what_is_lacking_is_named(gitlab: GitLab) -> None:
    """Scope, role, and a project that is not seen."""
    gitlab.forge.create_repository("acme/secret")
    gitlab.forge.world.repository("acme/secret").public = False
    forge = GitLabForge(connection="work", url=gitlab.url, token=gitlab.token("guest", "read_api"), timeout=240)
    lacking = await forge.missing_rights(PROJECT)
    hidden = await forge.missing_rights("acme/secret")
    await forge.close()

    assert [line.partition(" ")[0] + " … " + line.rpartition(" ")[2] for line in lacking] == ["the … 'api'", "the … one"]
    assert "may not see it" in hidden[-1]


async def test_what_is_left_of_the_limit_is_told_where_there_is_one(gitlab: GitLab, forge: GitLabForge) -> None:
    """A server without a limit tells of none."""
    assert await forge.budget() == ()
    answer = GitLab.answer

    def limited(self, method, target, headers, body):
        status, more, said = answer(self, method, target, headers, body)
        return status, {**more, "RateLimit-Limit": "2000", "RateLimit-Remaining": "1999", "RateLimit-Reset": "1800000000"}, said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitLab, "answer", limited)
        [allowance] = await forge.budget()
    assert (allowance.limit, allowance.left) == (2000, 1999)


async def test_a_redirect_is_not_followed(gitlab: GitLab) -> None:
    """The token would go along to wherever it leads."""
    seen: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        port = 1 if len(seen) > 1 else writer.get_extra_info("sockname")[1]
        writer.write(f"HTTP/1.1 301 X\r\nlocation: http://127.0.0.1:{port}/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    async with server:
        forge = GitLabForge(connection="work", url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", token="t", timeout=240)
        with pytest.raises(NotFound, match="moved"):
            await forge.summary(ChangeKey(repository="acme/web", number=1))
        await forge.close()
    assert len(seen) == 1


async def test_an_unknown_token_gets_nothing(gitlab: GitLab) -> None:
    """And appears in no error."""
    forge = GitLabForge(connection="work", url=gitlab.url, token="glpat-unknown", timeout=240)
    for call in (forge.probe(), forge.own_login(), forge.missing_rights(PROJECT), forge.open_changes(PROJECT)):
        with pytest.raises(AccessRefused) as refused:
            await call
        assert "glpat-unknown" not in f"{refused.value!r} {refused.value.advice}"
    await forge.close()
