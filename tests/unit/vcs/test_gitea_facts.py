"""When Gitea's facts are of one moment, and when they are torn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from providers.errors import TornFacts
from providers.vcs import ActorKind, ChangeEvent, ChangeKey
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea.facts import Facts, threads
from providers.vcs.gitea.moment import changed_kind, check_not_before, check_same_moment, merge_base, moment
from providers.vcs.gitea.rules import is_dropped, required_changes

HEAD, OLD, BASE = "a" * 40, "b" * 40, "c" * 40


def a_pull(**fields: Any) -> Document:
    values = {
        "number": 5,
        "head": {"ref": "feature", "label": "feature", "sha": HEAD, "repo_id": 1},
        "base": {"ref": "main", "sha": BASE, "repo_id": 1},
        "merge_base": BASE,
        "state": "open",
        "merged": False,
        "draft": False,
        "title": "t",
        "body": "",
        "labels": [],
        "changed_files": 1,
        "updated_at": "2026-01-02T03:04:05Z",
        **fields,
    }
    return Document(values, "GET /pull")


def commits(*shas: str) -> list[Document]:
    """Each the parent of the one before it."""
    parents = [*shas[1:], BASE]
    pairs = zip(shas, parents, strict=False)
    return [Document({"sha": sha, "parents": [{"sha": parent}]}, "GET /commits") for sha, parent in pairs]


def files(*names: str, of: str = HEAD) -> list[Document]:
    url = "http://gitea/contents/x?ref=" + of
    return [Document({"filename": name, "status": "added", "contents_url": url}, "GET /files") for name in names]


def an_event(**fields: Any) -> ChangeEvent:
    return ChangeEvent(key=ChangeKey(repository="acme/web", number=1), what="event", **fields)


def test_files_and_commits_of_the_head_are_one_moment() -> None:
    """The newest commit listed is the head, and as many files are listed as are changed."""
    check_same_moment(a_pull(), commits(HEAD, OLD), files("a"))
    check_same_moment(a_pull(changed_files=0, head={"sha": BASE}), commits(), files())
    check_same_moment(a_pull(state="closed", changed_files=None), commits(HEAD), files("a"))


def test_a_file_listed_as_deleted_and_added_changed_its_kind() -> None:
    """That is not a page that moved: it is where Gitea's list is cut short."""
    gone = Document({**files("a")[0].fields, "status": "deleted"}, "GET /files")
    check_same_moment(a_pull(changed_files=3), commits(HEAD), [gone, *files("a", "b")])

    assert changed_kind([gone, *files("a", "b")]) == {"a"}
    assert changed_kind([gone, *files("b")]) == changed_kind(files("a", "a")) == set()


def test_the_commit_below_all_is_where_they_left_the_base() -> None:
    """Of several there is none to compare with."""
    assert merge_base(commits(HEAD, OLD)) == BASE
    assert merge_base(commits(HEAD) + commits("d" * 40, OLD)[:1]) is None
    assert merge_base([]) is None


AGIT = {"ref": "refs/pull/5/head", "label": "", "sha": HEAD, "repo_id": 1}


def test_without_a_head_branch_no_count_is_needed() -> None:
    """Files, commits and head are of one ref then; anything that only looks like it is torn."""
    check_same_moment(a_pull(head=AGIT, changed_files=None), commits(HEAD), files("a"))
    for head in ({**AGIT, "label": "x"}, {**AGIT, "ref": "refs/pull/6/head"}, {**AGIT, "repo_id": 2}):
        with pytest.raises(TornFacts):
            check_same_moment(a_pull(head=head, changed_files=None), commits(HEAD), files("a"))


@pytest.mark.parametrize(
    ("pull", "listed", "changed"),
    [
        (a_pull(), commits(OLD), files("a")),
        (a_pull(), commits(OLD, HEAD), files("a")),
        (a_pull(), commits(), files("a")),
        (a_pull(changed_files=2), commits(HEAD), files("a")),
        (a_pull(changed_files=0), commits(HEAD), files("a")),
        (a_pull(changed_files=None), commits(HEAD), files("a")),
        (a_pull(changed_files=2), commits(HEAD), files("a", "a")),
        (a_pull(), commits(HEAD, OLD, OLD), files("a")),
        (a_pull(), commits(HEAD) + commits(OLD), files("a")),
        (a_pull(), commits(HEAD), files("a", of=OLD)),
        (a_pull(changed_files=2), commits(HEAD), files("a") + files("b", of=OLD)),
    ],
    ids=[
        "older head",
        "head not first",
        "no commits",
        "a file less",
        "a file more",
        "no count",
        "file twice",
        "commit twice",
        "commit of another head",
        "files of another head",
        "a page of files of another head",
    ],
)
def test_anything_else_is_torn(pull: Document, listed: list[Document], changed: list[Document]) -> None:
    """Nothing of it may be judged."""
    with pytest.raises(TornFacts):
        check_same_moment(pull, listed, changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"head": {"ref": "feature", "sha": OLD, "repo_id": 1}},
        {"base": {"ref": "release", "sha": BASE, "repo_id": 1}},
        {"base": {"ref": "main", "sha": OLD, "repo_id": 1}},
        {"state": "closed"},
        {"merged": True},
        {"draft": True},
        {"title": "other"},
        {"body": "other"},
        {"labels": [{"name": "new"}]},
        {"updated_at": "2026-01-02T03:04:06Z"},
        {"changed_files": 2},
        {"merge_base": OLD},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_a_change_between_two_readings_is_seen(changed: dict[str, Any]) -> None:
    """Whatever a policy may look at."""
    assert moment(a_pull()) == moment(a_pull())
    assert moment(a_pull()) != moment(a_pull(**changed))


MINUTE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "event",
    [
        None,
        an_event(),
        an_event(updated_at=MINUTE),
        an_event(head_sha=HEAD),
        an_event(head_sha=OLD),
        an_event(head_sha=HEAD, updated_at=MINUTE),
        an_event(head_sha="d" * 40, updated_at=MINUTE.replace(second=4)),
    ],
)
def test_facts_as_new_as_the_event_are_taken(event: ChangeEvent | None) -> None:
    """The event's head is the head, or was before it, or belongs to an earlier moment."""
    check_not_before(a_pull(), commits(HEAD, OLD), event)


@pytest.mark.parametrize(
    "event",
    [an_event(updated_at=MINUTE.replace(second=6)), an_event(head_sha="d" * 40), an_event(head_sha="d" * 40, updated_at=MINUTE)],
)
def test_facts_older_than_the_event_are_torn(event: ChangeEvent) -> None:
    """A replica lags behind."""
    with pytest.raises(TornFacts):
        check_not_before(a_pull(), commits(HEAD, OLD), event)


@pytest.mark.parametrize("account", [None, {"id": -1, "login": "Ghost"}])
def test_every_ghost_is_the_same_nobody(account: dict[str, Any] | None) -> None:
    """Null or Gitea's stand-in; no relation can be given to it by a login."""
    actor = Facts("work").actor(Document(account, "user") if account else None)
    assert (actor.kind, actor.ref, actor.login) == (ActorKind.GHOST, "user:work/ghost", "ghost")


def test_gitea_actions_is_a_bot() -> None:
    """Its account has a number below zero as well."""
    actor = Facts("work").actor(Document({"id": -2, "login": "gitea-actions"}, "user"))
    assert (actor.kind, actor.ref) == (ActorKind.BOT, "user:work/-2")


def test_words_gitea_has_not_used_so_far_are_faults() -> None:
    """A new kind of review or file is not taken for one of the known."""
    file = {"filename": "a", "status": "typechanged", "additions": 0, "deletions": 0}
    review = {"id": 1, "user": None, "state": "VETO", "commit_id": HEAD, "submitted_at": "2026-01-02T03:04:05Z", "dismissed": False}
    status = {"context": "ci", "status": "splendid", "creator": None, "target_url": ""}
    facts = Facts("work")
    for read in (
        lambda: facts.file(Document(file, "f")),
        lambda: facts.reviews([Document(review, "r")]),
        lambda: facts.checks([Document(status, "s")], HEAD),
    ):
        with pytest.raises(UnexpectedShape):
            read()


def test_comments_on_one_line_are_one_thread() -> None:
    """The first of them holds who resolved it."""

    def a_comment(id: int, path: str, position: int, resolver: dict[str, Any] | None = None) -> Document:
        return Document({"id": id, "path": path, "position": position, "original_position": 0, "resolver": resolver}, "comment")

    found = threads([a_comment(3, "a", 1), a_comment(1, "a", 1, {"id": 9, "login": "x"}), a_comment(2, "a", 2), a_comment(4, "b", 1)])

    assert [(thread.path, thread.resolved) for thread in found] == [("a", True), ("a", False), ("b", False)]


@pytest.mark.parametrize("pattern", ["ci/[a", "[", "a\\", "[a\\", "[z-a]", "ci/[]"])
def test_globs_gitea_cannot_read(pattern: str) -> None:
    """They require nothing."""
    assert is_dropped(pattern)


@pytest.mark.parametrize("pattern", ["admit/main", "ci/*", "a?", "[abc]", "[!a]", "\\[", "{a,b}", "ci (x)", "a+b", ""])
def test_globs_gitea_can_read(pattern: str) -> None:
    """They are left alone."""
    assert not is_dropped(pattern)


def test_only_what_differs_is_changed() -> None:
    """A rule that says it all needs nothing; lists of who may push stay."""
    done = {"enable_status_check": True, "block_admin_merge_override": True, "status_check_contexts": ["ci", "admit/main"]}
    listed = {**done, "enable_push": True, "enable_push_whitelist": True, "enable_force_push": True, "enable_force_push_allowlist": True}

    assert required_changes(done, "admit/main", None) == {}
    assert required_changes(listed, "admit/main", None) == {}
    assert required_changes({**done, "enable_push": True}, "admit/main", None) == {"enable_push": False}
    assert required_changes({}, "admit/main", "bot") == {
        "enable_status_check": True,
        "block_admin_merge_override": True,
        "status_check_contexts": ["admit/main"],
        "enable_merge_whitelist": True,
        "merge_whitelist_usernames": ["bot"],
    }
