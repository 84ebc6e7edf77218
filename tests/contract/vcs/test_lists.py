"""Lists are whole, however long: none, one, a page, one more than a page, several pages."""

from __future__ import annotations

import pytest

from providers.vcs import ChangeKey, Forge
from tests.contract.vcs.stages import Stage

pytestmark = pytest.mark.anyio

LENGTHS = [0, 1, 50, 51, 120]
"""Gitea's page is 50."""


def a_change(stage: Stage) -> ChangeKey:
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    return stage.open_change(repository, "feature")


@pytest.mark.parametrize("length", LENGTHS)
async def test_all_files(stage: Stage, forge: Forge, length: int) -> None:
    """Each changed file once. A change may have none: what it did was undone."""
    repository = stage.repository({"undone.txt": "as it was\n"})
    stage.push(repository, "feature", {"undone.txt": "changed\n"})
    key = stage.open_change(repository, "feature")
    names = [f"files/{number:03}.txt" for number in range(length)]
    stage.push(repository, "feature", {"undone.txt": "as it was\n", **{name: f"{name}\n" for name in names}})

    change = await forge.read_change(key)

    assert sorted(file.path for file in change.files) == names


@pytest.mark.parametrize("length", LENGTHS[1:])
async def test_all_commits(stage: Stage, forge: Forge, length: int) -> None:
    """In the order they were made."""
    repository = stage.repository()
    if length == 1:
        tip = stage.push(repository, "feature", {"a.txt": "a\n"})
    else:
        stage.push(repository, "feature", {"a.txt": "a\n"})
        tip = stage.push_many(repository, "feature", length - 1)
    key = stage.open_change(repository, "feature")

    change = await forge.read_change(key)

    assert change.commits[-1].sha == tip
    assert [commit.message for commit in change.commits] == ["Write", *(f"commit {number}" for number in range(length - 1))]


async def test_a_head_that_is_in_the_base_already_has_no_commits(stage: Stage, forge: Forge) -> None:
    """Nothing would land, and that is no fault."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    base = (await forge.read_change(key)).base.sha
    stage.force_push(repository, "feature", base)

    change = await forge.read_change(key)

    assert (change.head.sha, change.commits, change.files) == (base, (), ())


async def test_all_reviews(stage: Stage, forge: Forge) -> None:
    """Oldest first, beside one that is only asked for, while they grow in number."""
    key = a_change(stage)
    stage.request_review(key, of="carol")
    given: list[str] = []
    for length in LENGTHS:
        while len(given) < length:
            given.append(("bob" if len(given) % 2 else "dave") if stage.keeps_every_review else f"reviewer-{len(given)}")
            stage.review(key, by=given[-1])

        change = await forge.read_change(key)

        assert [review.user.login for review in change.reviews] == given
        assert [actor.login for actor in change.requested_reviewers] == ["carol"]


async def test_all_comments(stage: Stage, forge: Forge) -> None:
    """In the order they were written, while they grow in number."""
    key = a_change(stage)
    written: list[str] = []
    for length in LENGTHS:
        while len(written) < length:
            written.append(f"comment {len(written)}")
            stage.comment(key, written[-1], by="bob")

        change = await forge.read_change(key)

        assert change.comments is not None
        assert [comment.body for comment in change.comments] == written


async def test_all_checks(stage: Stage, forge: Forge) -> None:
    """The failing one is not lost on a later page; neither is a status of ours."""
    key = a_change(stage)
    sha = (await forge.read_change(key)).head.sha
    stage.post_status(key.repository, sha, "admit/main", "pending", by="robot")
    posted: list[str] = []
    for length in LENGTHS:
        while len(posted) < length:
            posted.append(f"ci/{len(posted):03}")
            stage.post_status(key.repository, sha, posted[-1], "success" if len(posted) > 1 else "failure", by="robot")

        change = await forge.read_change(key)
        reported = await forge.reported(key.repository, sha, "admit/main")

        assert [check.name for check in change.checks] == posted
        assert [check.name for check in change.checks if check.conclusion == "failure"] == posted[:1]
        assert reported is not None


@pytest.mark.parametrize("length", [0, 1, 51])
async def test_all_open_changes(stage: Stage, forge: Forge, length: int) -> None:
    """Each open one once, and no closed one."""
    repository = stage.repository()
    keys = []
    for number in range(length):
        stage.push(repository, f"feature-{number}", {f"{number}.txt": "a\n"})
        keys.append(stage.open_change(repository, f"feature-{number}"))
    stage.push(repository, "closed", {"closed.txt": "a\n"})
    stage.close_change(stage.open_change(repository, "closed"))

    listed = await forge.open_changes(repository)

    assert sorted(change.key.number for change in listed) == sorted(key.number for key in keys)
    assert [change.updated_at for change in listed] == sorted((change.updated_at for change in listed), reverse=True)


async def test_repositories_are_found_by_name_and_by_glob(stage: Stage, forge: Forge) -> None:
    """`*` does not cross a slash; a name that nobody has is not an error."""
    one, other = stage.repository(), stage.repository()
    fork = stage.fork(one, by="frank")

    assert [found.name for found in await forge.repositories([one.upper(), "acme/nowhere"])] == [one]
    globbed = [found.name for found in await forge.repositories(["acme/*"])]
    assert {one, other} <= set(globbed)
    assert fork not in globbed
    assert globbed == sorted(globbed, key=str.lower)
    assert fork in [found.name for found in await forge.repositories(["**"])]
    assert await forge.repositories([]) == []
