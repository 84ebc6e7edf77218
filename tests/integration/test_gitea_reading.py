"""What a real Gitea has that other forges do not: draft reviews of others, AGit, renames, and few rights."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.errors import AccessRefused, NotFound, PermanentError
from providers.vcs import ChangeKey, ChangeState, ReviewState
from providers.vcs.gitea import GiteaForge
from tests.servers.gitea import Project, session_gitea

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def project() -> Project:
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    for login in ("admit", "bob"):
        project.collaborator(gitea.account(login))
    return project


def a_forge(scopes: list[str], login: str = "admit") -> GiteaForge:
    gitea = session_gitea()
    token = gitea.token(gitea.account(login), scopes)
    return GiteaForge(connection="work", url=gitea.url, token=token, timeout=60)


@pytest.fixture
async def forge() -> AsyncIterator[GiteaForge]:
    forge = a_forge(["write:repository", "read:issue", "read:user"])
    yield forge
    await forge.close()


async def test_a_draft_review_of_somebody_else_is_no_hole(project: Project, forge: GiteaForge) -> None:
    """Gitea counts it and does not list it: it must neither be waited for nor hide another."""
    project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    bob = session_gitea().account("bob")
    project.call("POST", f"/pulls/{pull.number}/reviews", by=bob, json={"body": "not sent yet", "event": "PENDING"})
    for _ in range(50):
        project.review(pull, by=session_gitea().account("admit"))
    project.review(pull, by=session_gitea().admin, event="REQUEST_CHANGES")

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))

    assert len(change.reviews) == 51
    assert change.reviews[-1].state is ReviewState.CHANGES_REQUESTED


async def test_a_change_pushed_without_a_branch_is_read(project: Project, forge: GiteaForge) -> None:
    """AGit: `git push origin HEAD:refs/for/main`. There is no head branch that could run away from the files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project.git("clone", "--quiet", project.clone_url(), ".", folder=folder)
        (folder / "agit.txt").write_text("a\n")
        project.git("add", ".", folder=folder)
        project.git("commit", "--quiet", "--message", "by AGit", folder=folder)
        project.git("push", "--quiet", "origin", "HEAD:refs/for/main", "-o", "topic=agit", folder=folder)
        sha = project.git("rev-parse", "HEAD", folder=folder)
    (listed,) = await forge.open_changes(project.full_name)

    change = await forge.read_change(listed.key)

    assert (change.head.sha, change.head.fork, [file.path for file in change.files]) == (sha, False, ["agit.txt"])


async def test_the_old_name_of_a_repository_leads_nowhere(project: Project, forge: GiteaForge) -> None:
    """Gitea redirects, and may redirect to another's repository tomorrow; the token does not go along."""
    old = project.full_name
    project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    project.call("PATCH", "", json={"name": f"{project.name}-renamed"})

    with pytest.raises(NotFound) as missing:
        await forge.read_change(ChangeKey(repository=old, number=pull.number))
    assert "renamed" in (missing.value.advice or "")
    change = await forge.read_change(ChangeKey(repository=f"{old}-renamed", number=pull.number))
    assert change.repository.id == str(project.id)


@pytest.mark.parametrize(
    ("scopes", "lacking"),
    [(["read:repository"], "read:issue"), (["read:issue"], "read:repository"), (["read:user"], "read:")],
)
async def test_a_missing_scope_is_named(project: Project, scopes: list[str], lacking: str) -> None:
    """Nothing is taken for absent because the token may not see it."""
    project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    forge = a_forge(scopes)
    with pytest.raises(AccessRefused, match=lacking) as refused:
        await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))
    await forge.close()
    assert refused.value.advice


async def test_a_private_repository_is_not_there_for_strangers() -> None:
    """Not visible and not there are one answer."""
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"), private=True)
    project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    forge = a_forge(["read:repository", "read:issue"], login="stranger")
    with pytest.raises(NotFound):
        await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))
    assert await forge.repositories([project.full_name]) == []
    assert project.full_name not in [found.name for found in await forge.repositories(["ana/*"])]
    await forge.close()


async def test_a_deleted_head_branch_closes_the_change_and_keeps_its_facts(project: Project, forge: GiteaForge) -> None:
    """What was proposed is still listed under the head it had."""
    sha = project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    project.delete_branch("feature")

    for _ in range(100):
        change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))
        if change.state is ChangeState.CLOSED:
            break
        await asyncio.sleep(0.1)

    assert (change.state, change.head.sha, [file.path for file in change.files]) == (ChangeState.CLOSED, sha, ["a.txt"])


async def test_a_link_in_a_policy_folder_is_refused(project: Project, forge: GiteaForge) -> None:
    """What a link points at is not at that commit; its text is not a policy either."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project.git("clone", "--quiet", project.clone_url(), ".", folder=folder)
        (folder / ".admit").mkdir()
        (folder / ".admit" / "link.rego").symlink_to("../README.md")
        project.git("add", ".", folder=folder)
        project.git("commit", "--quiet", "--message", "link", folder=folder)
        project.git("push", "--quiet", "origin", "HEAD:main", folder=folder)

    with pytest.raises(PermanentError, match="link"):
        await forge.read_folder(project.full_name, "main", ".admit")
