"""Tell facts of one moment from torn ones, and a whole list of files from one Gitea cut short. Pure.

The skew that the checks are for: `head.sha` of a pull request comes from the head *branch*, while its files and commits
come from `refs/pull/N/head`, which is not moved by a push to the head of a *closed* pull request. After a reopen the two
stay apart until the next push, so files nobody judged would be admitted under the new sha.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from providers.errors import TornFacts
from providers.vcs.documents import Document
from providers.vcs.port import ChangeEvent


def moment(pull: Document) -> tuple[object, ...]:
    """What must not differ between the first and the last reading of a pull request."""
    head, base = pull.document("head"), pull.document("base")
    return (
        (head.text("ref"), head.text("sha"), head.number("repo_id")),
        (base.text("ref"), base.fields.get("sha"), pull.text("merge_base")),
        (pull.text("state"), pull.flag("merged"), pull.flag("draft"), pull.text("title"), pull.text("body")),
        (pull.text("updated_at"), pull.number_or_none("changed_files")),
        tuple(label.text("name") for label in pull.documents("labels")),
    )


def check_same_moment(pull: Document, commits: Sequence[Document], files: Sequence[Document]) -> None:
    """Raises TornFacts unless the files and commits are those of the head the pull request names."""
    head = pull.document("head").text("sha")
    _check_commits(pull, commits, head)
    _check_files(pull, files, head)


def _check_commits(pull: Document, commits: Sequence[Document], head: str) -> None:
    """The head comes first, and every other commit is the parent of one before it, or a page is of another head."""
    newest = commits[0].text("sha") if commits else pull.text("merge_base")
    if newest != head:
        raise TornFacts(
            f"{pull.where}: the head is {head[:12]}, but the commits listed end with {newest[:12]}: push to the head branch once more",
            advice="push to the head branch once more: Gitea lists files and commits of an older head until then",
        )
    if len({commit.text("sha") for commit in commits}) != len(commits):
        raise TornFacts(f"{pull.where}: the same commit is listed twice, so a page moved while it was read")
    known = {head}
    for commit in commits:
        if commit.text("sha") not in known:
            raise TornFacts(f"{pull.where}: the commit {commit.text('sha')[:12]} is listed, but does not belong to the head {head[:12]}")
        known.update(parent.text("sha") for parent in commit.documents("parents"))


def _check_files(pull: Document, files: Sequence[Document], head: str) -> None:
    """As many as are changed, each once, and each listed for the head: its address at the forge carries the commit."""
    counted = pull.number_or_none("changed_files")
    if counted is None and pull.text("state") == "open" and not _without_branch(pull):
        raise TornFacts(f"{pull.where}: the forge does not say how many files are changed, so the head is not in the repository yet")
    if counted is not None and counted != len(files):
        raise TornFacts(f"{pull.where}: {counted} files are changed, but {len(files)} are listed")
    twice = {name for name, times in Counter(file.text("filename") for file in files).items() if times > 1}
    if twice - changed_kind(files):
        raise TornFacts(f"{pull.where}: the same file is listed twice, so a page moved while it was read")
    for file in files:
        if not file.text("contents_url").endswith(f"?ref={head}"):
            raise TornFacts(f"{pull.where}: files of another commit than the head {head[:12]} are listed")


def changed_kind(files: Sequence[Document]) -> set[str]:
    """Files that became a link or submodule, or were one: Gitea lists each of them twice, as deleted and as added.

    It counts them once, and the list is cut to the count: for each of them something is missing at its end.
    """
    statuses: dict[str, list[str]] = {}
    for file in files:
        statuses.setdefault(file.text("filename"), []).append(file.text("status"))
    return {name for name, said in statuses.items() if sorted(said) == ["added", "deleted"]}


def merge_base(commits: Sequence[Document]) -> str | None:
    """The one commit the listed ones stand on; None if they stand on several (something was merged into them)."""
    listed = {commit.text("sha") for commit in commits}
    below = {parent.text("sha") for commit in commits for parent in commit.documents("parents")} - listed
    return below.pop() if len(below) == 1 else None


def _without_branch(pull: Document) -> bool:
    """Pushed to `refs/for/…` (AGit): head, files and commits all come from one ref, and Gitea counts no files."""
    head = pull.document("head")
    own_ref = head.text("ref") == f"refs/pull/{pull.number('number')}/head"
    return own_ref and not head.text("label") and head.number("repo_id") == pull.document("base").number("repo_id")


def check_not_before(pull: Document, commits: Sequence[Document], event: ChangeEvent | None) -> None:
    """Raises TornFacts if the facts are older than the event that asked for them."""
    if event is None:
        return
    updated = pull.time("updated_at")
    if event.updated_at is not None and updated < event.updated_at:
        raise TornFacts(f"{pull.where}: updated at {updated.isoformat()}, but an event tells of {event.updated_at.isoformat()}")
    known = {pull.document("head").text("sha"), *(commit.text("sha") for commit in commits)}
    newer = event.updated_at is not None and updated > event.updated_at
    if event.head_sha is not None and event.head_sha not in known and not newer:
        raise TornFacts(f"{pull.where}: an event tells of the head {event.head_sha[:12]}, which is not there yet")
