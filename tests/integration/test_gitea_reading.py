"""What a real Gitea has that other forges do not: draft reviews of others, AGit, renames, and few rights."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.errors import AccessRefused, NotFound, PermanentError
from providers.vcs import ChangeKey, ChangeState, FileStatus, ReviewState
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
    return GiteaForge(connection="work", url=gitea.url, token=token, timeout=240)


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


ALL = ["write:repository", "read:issue", "read:user"]


@pytest.mark.parametrize(
    ("login", "scopes", "lacking"),
    [
        ("admit", ["read:repository", "read:issue", "read:user"], ["'write:repository'"]),
        ("admit", ["write:repository"], ["'read:issue'", "'read:user'"]),
        ("admit", ["read:user"], ["'write:repository'", "'read:issue'"]),
        ("stranger", ALL, ["may not write"]),
        ("reader", ALL, ["may not write"]),
    ],
)
async def test_lacking_rights_are_named_beforehand(project: Project, login: str, scopes: list[str], lacking: list[str]) -> None:
    """Each in words; and nothing is left behind by asking."""
    project.collaborator(session_gitea().account("reader"), "read")
    forge = a_forge(scopes, login)
    found = await forge.missing_rights(project.full_name)
    await forge.close()

    assert len(found) == len(lacking)
    assert all(words in said for words, said in zip(lacking, found, strict=True))
    assert project.statuses(str(project.branch_sha("main"))) == {}


async def test_rights_on_what_is_not_there_are_lacking(forge: GiteaForge) -> None:
    """Not visible and not there are one answer."""
    (said,) = await forge.missing_rights("ana/nowhere")
    assert "does not exist" in said


async def test_a_wrong_token_is_refused_and_not_only_lacking() -> None:
    """It may do nothing anywhere."""
    forge = GiteaForge(connection="work", url=session_gitea().url, token="wrong", timeout=240)
    for call in (forge.missing_rights, forge.open_changes):
        with pytest.raises(AccessRefused):
            await call("ana/anything")
    await forge.close()


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


NAMES = [
    "x b/x",
    "a b/a b/a",
    'quo"te',
    "back\\slash",
    "tab\there",
    "new\nline",
    "ünï",
    " lead",
    "trail ",
    "x => y",
    "{a => b}/c",
    "--- a/x",
    "+++ b/y",
    "b x/b y b/b x/b y",
    "a?b#c%41&d",
]
"""Names that could be taken for others in the text of a diff, which Gitea reads its list from."""


def clone(project: Project, folder: Path, branch: str) -> None:
    project.git("clone", "--quiet", project.clone_url(), ".", folder=folder)
    project.git("checkout", "--quiet", "-b", branch, folder=folder)


def push(project: Project, folder: Path, branch: str) -> None:
    project.git("add", "--all", ".", folder=folder)
    project.git("commit", "--quiet", "--message", "change", folder=folder)
    project.git("push", "--quiet", "origin", branch, folder=folder)


@pytest.mark.parametrize("content", ["", "text\n", "\0"], ids=["empty", "text", "binary"])
async def test_no_name_of_a_file_is_taken_for_another(project: Project, forge: GiteaForge, content: str) -> None:
    """A protected path cannot be had by a file that is listed under another name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone(project, folder, "feature")
        for file in NAMES:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content)
        push(project, folder, "feature")
    pull = project.open_pull("feature")

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))

    assert sorted(file.path for file in change.files) == sorted(NAMES)


async def test_what_changes_without_a_line_is_modified(project: Project, forge: GiteaForge) -> None:
    """A binary file, and one that only became executable: Gitea calls both unchanged."""
    project.write({"picture.bin": b"\0\1", "script.sh": "true\n"})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone(project, folder, "feature")
        (folder / "picture.bin").write_bytes(b"\0\2")
        (folder / "script.sh").chmod(0o755)
        push(project, folder, "feature")
    pull = project.open_pull("feature")

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))

    assert [(file.path, file.status) for file in change.files] == [
        ("picture.bin", FileStatus.MODIFIED),
        ("script.sh", FileStatus.MODIFIED),
    ]


@pytest.mark.parametrize("linked", ["a.txt", "z.txt"])
async def test_a_file_that_becomes_a_link_hides_nothing(project: Project, forge: GiteaForge, linked: str) -> None:
    """Gitea counts it once and lists it twice, so the last of its list is left out: the trees are compared instead."""
    project.write({linked: "plain\n", "deep/er/moved.txt": "as it was\n", "deep/same.txt": "s\n", "folder": "a file\n"})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone(project, folder, "feature")
        (folder / linked).unlink()
        (folder / linked).symlink_to("README.md")
        (folder / "deep" / "er" / "moved.txt").rename(folder / "deep" / "new.txt")
        (folder / "folder").unlink()
        (folder / "folder").mkdir()
        (folder / "folder" / "file.txt").write_text("f\n")
        (folder / "x.txt").write_text("this one is left out when a.txt is the link\n")
        push(project, folder, "feature")
    pull = project.open_pull("feature")
    listed = [file["filename"] for file in project.call("GET", f"/pulls/{pull.number}/files")]
    assert len(listed) == project.pull(pull)["changed_files"] == 5
    assert (listed[-1] == "z.txt") == (linked == "z.txt")

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))

    assert {(file.path, file.status, file.previous_path) for file in change.files} == {
        (linked, FileStatus.MODIFIED, None),
        ("deep/new.txt", FileStatus.RENAMED, "deep/er/moved.txt"),
        ("folder", FileStatus.REMOVED, None),
        ("folder/file.txt", FileStatus.ADDED, None),
        ("x.txt", FileStatus.ADDED, None),
    }
    assert {file.additions for file in change.files} == {None}


async def test_a_link_beside_a_merge_is_a_fault(project: Project, forge: GiteaForge) -> None:
    """There is not one commit to compare with then, and a part of the files is not an answer."""
    project.write({"a.txt": "plain\n"})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone(project, folder, "feature")
        (folder / "a.txt").unlink()
        (folder / "a.txt").symlink_to("README.md")
        push(project, folder, "feature")
        project.write({"later.txt": "l\n"})
        project.git("fetch", "--quiet", "origin", folder=folder)
        project.git("merge", "--quiet", "--no-edit", "origin/main", folder=folder)
        project.git("push", "--quiet", "origin", "feature", folder=folder)
    pull = project.open_pull("feature")

    with pytest.raises(PermanentError) as refused:
        await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))
    assert "rebase" in (refused.value.advice or "")


async def test_a_last_file_that_is_really_gone_is_removed(project: Project, forge: GiteaForge) -> None:
    """The same list, and nothing hidden."""
    project.write({"z.txt": "plain\n"})
    project.write({"z.txt": None, "a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))

    assert [(file.path, file.status) for file in change.files] == [("a.txt", FileStatus.ADDED), ("z.txt", FileStatus.REMOVED)]


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
