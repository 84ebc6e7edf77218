"""Gitea's endpoints can disagree about one pull request; what they say then is never taken for its facts.

Close a pull request, push to its head, reopen it: `head.sha` is the new commit, while `/files` and `/commits` stay those
of the old one until the next push. A status posted on the new head would let the unseen file through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from providers.errors import TornFacts
from providers.vcs import ChangeKey, Status, StatusState
from providers.vcs.gitea import GiteaForge
from tests.servers.gitea import Project, Pull, session_gitea

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def forge() -> AsyncIterator[GiteaForge]:
    gitea = session_gitea()
    forge = GiteaForge(connection="work", url=gitea.url, token=gitea.admin_token, timeout=240)
    yield forge
    await forge.close()


def a_change(project: Project, head: str = "feature") -> tuple[Pull, ChangeKey]:
    pull = project.open_pull(head, by=project.gitea.account("dora") if ":" in head else None)
    return pull, ChangeKey(repository=project.full_name, number=pull.number)


def reopened_after_push(project: Project, pull: Pull, source: Project, branch: str) -> str:
    """The hidden commit's sha. Gitea looks at a push some time after it; only if it was closed by then is it skewed."""
    for attempt in range(20):
        project.edit(pull, state="closed")
        hidden = source.write({f"hidden-{attempt}.txt": "not seen by anybody\n"}, branch=branch)
        time.sleep(1 + attempt)
        project.edit(pull, state="open")
        time.sleep(1)
        if project.call("GET", f"/pulls/{pull.number}/commits")[0]["sha"] != hidden == project.pull(pull)["head"]["sha"]:
            return hidden
    raise AssertionError("Gitea saw every push in time")


async def test_a_push_while_closed_is_torn_until_the_next_push(forge: GiteaForge) -> None:
    """The forge names a head whose files it does not list; after one more push everything is seen."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    project.write({"seen.txt": "s\n"}, branch="feature")
    pull, key = a_change(project)
    hidden = reopened_after_push(project, pull, project, "feature")

    listed = {file["filename"] for file in project.call("GET", f"/pulls/{pull.number}/files")}
    there = set((await forge.read_folder(project.full_name, hidden, "")).files)
    assert there - listed - {"README.md"}
    with pytest.raises(TornFacts, match=hidden[:12]) as torn:
        await forge.read_change(key)
    assert "push to the head branch" in (torn.value.advice or "")

    project.write({"more.txt": "m\n"}, branch="feature")
    change = await forge.read_change(key)
    assert {file.path for file in change.files} == there - {"README.md"} | {"more.txt"}


async def test_the_skew_is_real_and_would_be_a_bypass(forge: GiteaForge) -> None:
    """What the check protects from: a success on the named head merges the file nobody listed."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    project.write({"seen.txt": "s\n"}, branch="feature")
    project.protect("main", enable_status_check=True, status_check_contexts=["admit/main"])
    pull, key = a_change(project)
    hidden = reopened_after_push(project, pull, project, "feature")

    status = Status(context="admit/main", state=StatusState.SUCCESS, description="", target_url="http://gate.test/")
    await forge.report(key.repository, hidden, status)
    for _ in range(100):
        answer = project.merge(pull, head_commit_id=hidden)
        if answer.status_code != 405:
            break
        await asyncio.sleep(0.3)

    assert answer.status_code == 200
    assert any(name.startswith("hidden") for name in (await forge.read_folder(key.repository, "main", "")).files)


async def test_a_fork_pushed_to_while_closed_is_torn(forge: GiteaForge) -> None:
    """There the named head is not even in the repository that lists the files."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    fork = project.fork(gitea.account("dora"))
    fork.write({"seen.txt": "s\n"}, branch="feature")
    pull, key = a_change(project, "dora:feature")
    reopened_after_push(project, pull, fork, "feature")

    with pytest.raises(TornFacts):
        await forge.read_change(key)


async def test_a_push_is_never_seen_by_halves(forge: GiteaForge) -> None:
    """Read again and again while pushes land: the files are always those of the head that is named."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    heads = {project.write({"0.txt": "x\n"}, branch="feature"): 1}
    _, key = a_change(project)

    async def pushes() -> None:
        for number in range(1, 6):
            heads[await asyncio.to_thread(project.write, {f"{number}.txt": "x\n"}, branch="feature")] = number + 1

    pushing = asyncio.create_task(pushes())
    seen = []
    while not pushing.done():
        try:
            seen.append(await forge.read_change(key))
        except TornFacts:
            continue
    await pushing

    seen.append(await forge.read_change(key))
    assert [(change.head.sha, len(change.files)) for change in seen] == [(change.head.sha, heads[change.head.sha]) for change in seen]


async def test_a_tag_of_the_branchs_name_does_not_replace_its_policies(forge: GiteaForge) -> None:
    """Git prefers a tag to a branch of its name; a repository's own policies are those of the branch."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    project.write({".admit/rule": "strict"})
    project.write({".admit/rule": "lax"}, branch="feature")
    project.call("POST", "/tags", json={"tag_name": "main", "target": "feature"})

    folder = await forge.read_folder(project.full_name, "main", ".admit")

    assert folder.files == {"rule": b"strict"}
