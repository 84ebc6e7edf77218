"""What a forge says of a change is what people did to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.errors import NotFound, TornFacts
from providers.vcs import (
    MAY_BE_LEFT_OUT,
    ActorKind,
    ChangeEvent,
    ChangeKey,
    ChangeState,
    CheckState,
    FileStatus,
    Forge,
    ReviewState,
)
from tests.contract.vcs.stages import Stage

pytestmark = pytest.mark.anyio


async def test_a_new_change_is_read_whole(stage: Stage, forge: Forge) -> None:
    """Who proposes what, from where to where, as it was opened."""
    repository = stage.repository()
    sha = stage.push(repository, "feature", {"src/a.py": "x = 1\ny = 2\n"}, by="ana")
    key = stage.open_change(repository, "feature", by="ana", title="Add a", body="because")

    change = await forge.read_change(key)

    assert (change.connection, change.number, change.title, change.body) == ("exam", key.number, "Add a", "because")
    assert (change.repository.name, change.repository.ref) == (repository, f"repository:exam/{change.repository.id}")
    assert (change.author.login, change.author.ref, change.author.kind) == ("ana", f"user:exam/{change.author.id}", ActorKind.USER)
    assert (change.head.ref, change.head.sha, change.head.repository, change.head.fork) == ("feature", sha, repository, False)
    assert (change.base.ref, change.base.protected, change.stack) == ("main", False, None)
    assert (change.state, change.draft, change.labels) == (ChangeState.OPEN, False, ())
    assert (change.reviews, change.requested_reviewers, change.checks, change.comments, change.threads) == ((), (), (), (), ())
    assert change.dependencies == (() if stage.knows_dependencies else None)
    assert [(f.path, f.status, f.additions, f.deletions) for f in change.files] == [("src/a.py", FileStatus.ADDED, 2, 0)]
    assert [(c.sha, c.parents, c.author.name, c.verified) for c in change.commits] == [(sha, (change.base.sha,), "ana", False)]
    assert change.created_at <= change.updated_at


async def test_each_kind_of_file_change_is_told_apart(stage: Stage, forge: Forge) -> None:
    """A rename says where from, a deletion is listed, a binary file counts no lines."""
    text = "".join(f"line {number}\n" for number in range(30))
    repository = stage.repository({"old.txt": text, "gone.txt": "a\nb\n", "kept.txt": "a\n", "edited.txt": "a\n"})
    files = {"gone.txt": None, "edited.txt": "a\nb\n", "new.txt": "n\n", "picture.bin": b"\x00\x01\x02"}
    stage.push(repository, "feature", files, renames={"moved/new-name.txt": "old.txt"})
    key = stage.open_change(repository, "feature")

    change = await forge.read_change(key)

    assert [(f.path, f.status, f.previous_path, f.additions, f.deletions) for f in sorted(change.files, key=lambda f: f.path)] == [
        ("edited.txt", FileStatus.MODIFIED, None, 1, 0),
        ("gone.txt", FileStatus.REMOVED, None, 0, 2),
        ("moved/new-name.txt", FileStatus.RENAMED, "old.txt", 0, 0),
        ("new.txt", FileStatus.ADDED, None, 1, 0),
        ("picture.bin", FileStatus.ADDED, None, 0, 0),
    ]


async def test_commits_are_oldest_first_and_end_with_the_head(stage: Stage, forge: Forge) -> None:
    """The order in which they were made."""
    repository = stage.repository()
    made = [stage.push(repository, "feature", {f"{number}.txt": "x\n"}) for number in range(3)]
    key = stage.open_change(repository, "feature")

    change = await forge.read_change(key)

    assert [commit.sha for commit in change.commits] == made
    assert change.head.sha == made[-1]


async def test_reviews_say_who_what_and_on_which_commit(stage: Stage, forge: Forge) -> None:
    """In the order they were given; a forge that keeps one word of each reviewer tells the last."""
    repository = stage.repository()
    first = stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.review(key, by="bob", state=ReviewState.CHANGES_REQUESTED)
    stage.review(key, by="carol")
    second = stage.push(repository, "feature", {"b.txt": "b\n"})
    stage.review(key, by="bob", state=ReviewState.COMMENTED)
    stage.review(key, by="dave")

    change = await forge.read_change(key)

    expected = [
        ("bob", ReviewState.CHANGES_REQUESTED, first, False),
        ("carol", ReviewState.APPROVED, first, False),
        ("bob", ReviewState.COMMENTED, second, False),
        ("dave", ReviewState.APPROVED, second, False),
    ]
    told = [(review.user.login, review.state, review.commit_sha, review.dismissed) for review in change.reviews]
    assert told == (expected if stage.keeps_every_review else expected[1:])


async def test_a_reviewer_may_choose_the_commit(stage: Stage, forge: Forge) -> None:
    """So the change's head is not assumed. (Where nobody can choose, the review is of the newest one.)"""
    repository = stage.repository()
    first = stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    second = stage.push(repository, "feature", {"b.txt": "b\n"})
    stage.review(key, by="carol", commit_sha=first)

    change = await forge.read_change(key)

    assert [review.commit_sha for review in change.reviews] == [first if stage.reviewers_choose_commits else second]


async def test_a_dismissed_review_stays_and_says_so(stage: Stage, forge: Forge) -> None:
    """It is a fact that it was given, and that it no longer counts."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.review(key, by="bob")
    stage.dismiss(key, of="bob")

    change = await forge.read_change(key)

    assert [(review.user.login, review.state, review.dismissed) for review in change.reviews] == [("bob", ReviewState.APPROVED, True)]


async def test_only_awaited_reviewers_are_requested(stage: Stage, forge: Forge) -> None:
    """Who has reviewed is no longer awaited, and an awaited review is not a review."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.request_review(key, of="bob")
    stage.request_review(key, of="carol")
    stage.review(key, by="bob")

    change = await forge.read_change(key)

    assert [actor.login for actor in change.requested_reviewers] == ["carol"]
    assert [review.user.login for review in change.reviews] == ["bob"]


async def test_labels_comments_and_threads(stage: Stage, forge: Forge) -> None:
    """Labels are those now on the change; a conversation on a file is a thread, not a comment."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.label(key, "zeta", "bug")
    stage.label(key, "feature", "bug")
    stage.comment(key, "first", by="bob")
    stage.comment(key, "second", by="carol")
    stage.discuss(key, "a.txt", by="bob")

    change = await forge.read_change(key)

    assert change.labels == ("bug", "feature")
    assert change.comments is not None
    assert [(comment.user.login, comment.body, comment.edited) for comment in change.comments] == [
        ("bob", "first", False),
        ("carol", "second", False),
    ]
    assert change.threads is not None
    assert [(thread.path, thread.resolved) for thread in change.threads] == [("a.txt", False)]


async def test_a_draft_is_one_until_it_is_ready(stage: Stage, forge: Forge) -> None:
    """Also one that was opened as a draft."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature", draft=True)
    before = await forge.read_change(key)
    stage.edit(key, draft=False)
    after = await forge.read_change(key)

    assert (before.draft, after.draft) == (True, False)


async def test_checks_are_the_newest_of_each_name_without_our_own(stage: Stage, forge: Forge) -> None:
    """The gateway's own statuses are its answer, never its facts."""
    repository = stage.repository()
    sha = stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    for context, state in (("ci/test", "failure"), ("ci/lint", "pending"), ("admit/main", "success"), ("ci/test", "success")):
        stage.post_status(repository, sha, context, state, by="robot")

    change = await forge.read_change(key)

    assert [(check.name, check.state, check.conclusion, check.source, check.sha) for check in change.checks] == [
        ("ci/lint", CheckState.PENDING, None, "robot", sha),
        ("ci/test", CheckState.COMPLETED, "success", "robot", sha),
    ]


async def test_a_push_moves_the_head_and_brings_its_files(stage: Stage, forge: Forge) -> None:
    """Head, files and commits are those of one moment."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    pushed = stage.push(repository, "feature", {"b.txt": "b\n"})

    change = await forge.read_change(key, not_before=ChangeEvent(key=key, what="push", head_sha=pushed))

    assert change.head.sha == pushed == change.commits[-1].sha
    assert sorted(file.path for file in change.files) == ["a.txt", "b.txt"]


async def test_a_force_push_replaces_commits_and_files(stage: Stage, forge: Forge) -> None:
    """Nothing of the earlier head is left."""
    repository = stage.repository()
    other = stage.push(repository, "other", {"other.txt": "o\n"})
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.force_push(repository, "feature", other)

    change = await forge.read_change(key)

    assert (change.head.sha, [commit.sha for commit in change.commits]) == (other, [other])
    assert [file.path for file in change.files] == ["other.txt"]


async def test_a_retarget_changes_what_is_compared(stage: Stage, forge: Forge) -> None:
    """Against the new base there are other commits and files."""
    repository = stage.repository()
    stage.push(repository, "release", {"a.txt": "a\n"})
    release = stage.push(repository, "feature", {"b.txt": "b\n"})
    key = stage.open_change(repository, "feature", base="main")
    stage.retarget(key, "release")

    change = await forge.read_change(key)

    assert (change.base.ref, change.target_branch, change.head.sha) == ("release", "release", release)
    assert [file.path for file in change.files] == ["b.txt"]


async def test_two_changes_may_have_one_head(stage: Stage, forge: Forge) -> None:
    """A status belongs to a commit, so both are found by it."""
    repository = stage.repository()
    stage.push(repository, "release", {"r.txt": "r\n"})
    sha = stage.push(repository, "feature", {"a.txt": "a\n"})
    one = stage.open_change(repository, "feature", base="main")
    other = stage.open_change(repository, "feature", base="release")

    listed = await forge.open_changes(repository)

    assert {(change.key, change.head_sha, change.base_ref) for change in listed} == {(one, sha, "main"), (other, sha, "release")}
    assert {(await forge.read_change(key)).base.ref for key in (one, other)} == {"main", "release"}


async def test_a_fork_is_told_apart(stage: Stage, forge: Forge) -> None:
    """The head is in another repository."""
    repository = stage.repository()
    fork = stage.fork(repository, by="dora")
    sha = stage.push(fork, "feature", {"a.txt": "a\n"}, by="dora")
    key = stage.open_change(repository, "feature", by="dora", source=fork)

    change = await forge.read_change(key)

    assert (change.head.fork, change.head.repository, change.head.sha, change.head.ref) == (True, fork, sha, "feature")
    assert change.repository.name == repository
    assert [file.path for file in change.files] == ["a.txt"]


async def test_a_deleted_fork_leaves_a_closed_change(stage: Stage, forge: Forge) -> None:
    """Its head has no repository any more; what was proposed is still known."""
    repository = stage.repository()
    fork = stage.fork(repository, by="erin")
    sha = stage.push(fork, "feature", {"a.txt": "a\n"}, by="erin")
    key = stage.open_change(repository, "feature", by="erin", source=fork)
    stage.delete_repository(fork)

    change = await forge.read_change(key)

    assert (change.state, change.head.repository, change.head.fork, change.head.sha) == (ChangeState.CLOSED, None, True, sha)
    assert [file.path for file in change.files] == ["a.txt"]


async def test_a_deleted_account_is_a_ghost(stage: Stage, forge: Forge) -> None:
    """Its login may be somebody else's tomorrow, so nothing it did keeps its name."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.comment(key, "here", by="mortal")
    stage.review(key, by="mortal")
    stage.delete_account("mortal")

    change = await forge.read_change(key)

    assert change.comments is not None
    everybody = [comment.user for comment in change.comments] + [review.user for review in change.reviews]
    assert len(everybody) == 2
    assert {(actor.kind, actor.login, actor.ref) for actor in everybody} == {(ActorKind.GHOST, "ghost", "user:exam/ghost")}


async def test_dependencies_are_the_changes_to_merge_first(stage: Stage, forge: Forge) -> None:
    """By their address; one that was merged is no longer among them. A forge that knows none says so."""
    repository = stage.repository()
    stage.push(repository, "first", {"a.txt": "a\n"})
    stage.push(repository, "second", {"b.txt": "b\n"})
    first, second = stage.open_change(repository, "first"), stage.open_change(repository, "second")
    stage.depend(second, first)

    waiting = await forge.read_change(second)
    stage.merge_outside(first, by="acme")
    free = await forge.read_change(second)

    if not stage.knows_dependencies:
        assert (waiting.dependencies, free.dependencies) == (None, None)
        return
    assert waiting.dependencies == ((await forge.read_change(first)).url,)
    assert free.dependencies == ()


async def test_closed_and_merged_are_told_apart(stage: Stage, forge: Forge) -> None:
    """And a merged one says who merged it, and what it became."""
    repository = stage.repository()
    stage.push(repository, "one", {"a.txt": "a\n"})
    stage.push(repository, "two", {"b.txt": "b\n"})
    closed, merged = stage.open_change(repository, "one"), stage.open_change(repository, "two")
    stage.close_change(closed)
    stage.merge_outside(merged, by="acme")

    first, second = await forge.read_change(closed), await forge.read_change(merged)

    assert (first.state, first.merged_sha, first.merged_by) == (ChangeState.CLOSED, None, None)
    assert second.state is ChangeState.MERGED
    assert second.merged_by is not None
    assert (second.merged_by.login, second.merged_sha, [file.path for file in second.files]) == ("acme", second.base.sha, ["b.txt"])


async def test_facts_older_than_the_event_are_not_taken(stage: Stage, forge: Forge) -> None:
    """An event tells of a head that is nowhere to be seen: the facts lag behind it."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")

    with pytest.raises(TornFacts):
        await forge.read_change(key, not_before=ChangeEvent(key=key, what="push", head_sha="f" * 40))


async def test_a_change_that_is_not_there_is_not_found(stage: Stage, forge: Forge) -> None:
    """Neither by number nor by repository."""
    repository = stage.repository()
    for key in (ChangeKey(repository=repository, number=4711), ChangeKey(repository="acme/nowhere", number=1)):
        with pytest.raises(NotFound):
            await forge.read_change(key)
        with pytest.raises(NotFound):
            await forge.summary(key)


async def test_a_summary_agrees_with_the_facts(stage: Stage, forge: Forge) -> None:
    """One cheap call says where a status belongs."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature", title="Add a")

    change, summary = await forge.read_change(key), await forge.summary(key)

    assert (summary.key, summary.repository_id, summary.url) == (key, change.repository.id, change.url)
    assert (summary.title, summary.head_sha, summary.target_branch) == (change.title, change.head.sha, change.base.ref)
    assert (summary.state, summary.updated_at) == (change.state, change.updated_at)


async def test_a_change_is_found_by_the_address_people_see(stage: Stage, forge: Forge) -> None:
    """And nobody else's address is taken for one."""
    repository = stage.repository()
    stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")

    url = (await forge.read_change(key)).url

    assert forge.locate(url) == key
    assert forge.locate(url + "?tab=files#top") == key
    assert forge.locate(url.replace("http://", "http://elsewhere.")) is None
    assert forge.locate(url.rsplit("/", 1)[0]) is None
    assert forge.locate("not a url") is None


async def test_what_is_to_be_left_out_is_not_read_and_the_rest_is_the_same(stage: Stage, forge: Forge) -> None:
    """One fact left out, or all that may be: told as not read, which is no list; nothing else of the change is another."""
    repository = stage.repository()
    sha = stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.comment(key, "hello", by="bob")
    stage.review(key, by="bob")
    stage.discuss(key, "a.txt", by="bob")
    stage.request_review(key, of="carol")
    stage.post_status(repository, sha, "ci/test", "success", by="robot")
    whole = await forge.read_change(key)
    assert whole.left_out == frozenset()

    for leave_out in [*(frozenset({fact}) for fact in MAY_BE_LEFT_OUT), MAY_BE_LEFT_OUT]:
        part = await forge.read_change(key, leave_out=leave_out)
        assert part.left_out == leave_out
        assert replace(part, **{fact: getattr(whole, fact) for fact in leave_out}) == whole
