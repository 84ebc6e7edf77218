"""Gitea's JSON → the model, and the checks that tell facts of one moment from torn ones. Pure.

The skew that the checks are for: `head.sha` of a pull request comes from the head *branch*, while its files and commits
come from `refs/pull/N/head`, which is not moved by a push to the head of a *closed* pull request. After a reopen the two
stay apart until the next push, so files nobody judged would be admitted under the new sha.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from providers.errors import PermanentError, TornFacts
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.model import (
    Actor,
    ActorKind,
    ChangedFile,
    ChangeState,
    Check,
    CheckState,
    Comment,
    Commit,
    FileStatus,
    Repository,
    Review,
    ReviewState,
    Signature,
    Thread,
)
from providers.vcs.port import ChangeEvent

T = TypeVar("T")

OWN_CONTEXTS = "admit/"
"""The gateway's own statuses; they are its answer, never its facts."""

_FILE_STATUS = {
    "added": FileStatus.ADDED,
    "deleted": FileStatus.REMOVED,
    "changed": FileStatus.MODIFIED,
    "modified": FileStatus.MODIFIED,
    "unchanged": FileStatus.MODIFIED,  # said of what changed without a line: a binary file, a mode
    "renamed": FileStatus.RENAMED,
    "copied": FileStatus.COPIED,
}
_REVIEW_STATE = {
    "APPROVED": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
    "COMMENT": ReviewState.COMMENTED,
}
_NOT_REVIEWS = frozenset({"REQUEST_REVIEW", "PENDING"})
_CONCLUSIONS = frozenset({"success", "failure", "error", "warning", "skipped"})


# --- is it one moment? --------------------------------------------------------------------


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
    twice = [name for name, times in Counter(file.text("filename") for file in files).items() if times > 1]
    for name in twice:
        if {file.text("status") for file in files if file.text("filename") == name} == {"deleted", "added"}:
            raise kind_changed(pull, name)
        raise TornFacts(f"{pull.where}: the same file is listed twice, so a page moved while it was read")
    for file in files:
        if not file.text("contents_url").endswith(f"?ref={head}"):
            raise TornFacts(f"{pull.where}: files of another commit than the head {head[:12]} are listed")


def kind_changed(pull: Document, name: str) -> PermanentError:
    """A file that became a link or submodule, or was one, takes two places in Gitea's list, which stays as long as if it
    took one: whatever is last falls off it."""
    return PermanentError(
        f"{pull.where}: '{name}' changed its kind (to or from a link or submodule), and Gitea then leaves files out of its list",
        advice="remove it in one change and add it in another",
    )


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


# --- Gitea's words → ours -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """Turns documents into values that carry the connection's name in their refs."""

    connection: str

    def repository(self, document: Document) -> Repository:
        id = str(document.number("id"))
        return Repository(id=id, name=document.text("full_name"), ref=f"repository:{self.connection}/{id}")

    def actor(self, document: Document | None) -> Actor:
        """An account; a deleted one (`Ghost`, id -1, or null) is a ghost, and all ghosts are the same nobody."""
        if document is None or document.number("id") == -1:
            return Actor(id="ghost", login="ghost", kind=ActorKind.GHOST, ref=f"user:{self.connection}/ghost")
        id = document.number("id")
        kind = ActorKind.BOT if id < 0 else ActorKind.USER  # -2 is Gitea's own Actions account
        return Actor(id=str(id), login=document.text("login"), kind=kind, ref=f"user:{self.connection}/{id}")

    def state(self, pull: Document) -> ChangeState:
        if pull.flag("merged"):
            return ChangeState.MERGED
        return _known(pull, "state", {"open": ChangeState.OPEN, "closed": ChangeState.CLOSED})

    def file(self, document: Document) -> ChangedFile:
        return ChangedFile(
            path=document.text("filename"),
            status=_known(document, "status", _FILE_STATUS),
            previous_path=document.text_or_none("previous_filename"),
            additions=document.number("additions"),
            deletions=document.number("deletions"),
        )

    def commit(self, document: Document) -> Commit:
        commit = document.document("commit")
        return Commit(
            sha=document.text("sha"),
            message=commit.text("message").rstrip("\n"),
            author=self._signature(commit.document("author"), document.document_or_none("author")),
            committer=self._signature(commit.document("committer"), document.document_or_none("committer")),
            verified=commit.document("verification").flag("verified"),
            parents=tuple(parent.text("sha") for parent in document.documents("parents")),
        )

    def _signature(self, written: Document, account: Document | None) -> Signature:
        actor = self.actor(account) if account is not None else None
        return Signature(name=written.text("name"), email=written.text("email"), actor=actor)

    def reviews(self, documents: Sequence[Document]) -> tuple[Review, ...]:
        """Oldest first. Rejections count by state and `dismissed`, not by `official`, which their target can undo."""
        given = [document for document in documents if document.text("state") not in _NOT_REVIEWS]
        return tuple(
            Review(
                user=self.actor(document.document_or_none("user")),
                state=_known(document, "state", _REVIEW_STATE),
                commit_sha=document.text_or_none("commit_id"),
                submitted_at=document.time("submitted_at"),
                dismissed=document.flag("dismissed"),
            )
            for document in sorted(given, key=lambda document: document.number("id"))
        )

    def requested_reviewers(self, documents: Sequence[Document]) -> tuple[Actor, ...]:
        """Whose review is awaited. `requested_reviewers` of the pull request also lists who has reviewed already."""
        asked = [document for document in documents if document.text("state") == "REQUEST_REVIEW"]
        return tuple(self.actor(user) for document in asked if (user := document.document_or_none("user")) is not None)

    def checks(self, documents: Sequence[Document], sha: str) -> tuple[Check, ...]:
        """The newest status of each context, without the gateway's own."""
        others = [document for document in documents if not document.text("context").startswith(OWN_CONTEXTS)]
        return tuple(self._check(document, sha) for document in sorted(others, key=lambda document: document.text("context")))

    def _check(self, document: Document, sha: str) -> Check:
        said = document.text("status")
        if said != "pending" and said not in _CONCLUSIONS:
            raise UnexpectedShape(f"{document.where}: expected a known status, found {said!r}")
        creator = document.document_or_none("creator")
        return Check(
            name=document.text("context"),
            state=CheckState.PENDING if said == "pending" else CheckState.COMPLETED,
            conclusion=None if said == "pending" else said,
            source=creator.text("login") if creator is not None else None,
            sha=sha,
            url=document.text_or_none("target_url"),
        )

    def comment(self, document: Document) -> Comment:
        return Comment(
            user=self.actor(document.document_or_none("user")),
            body=document.text("body"),
            created_at=document.time("created_at"),
            edited=document.text("created_at") != document.text("updated_at"),
        )


def threads(comments: Sequence[Document]) -> tuple[Thread, ...]:
    """Review comments on one line of one file are one conversation; its first comment holds who resolved it."""
    first: dict[tuple[str, int, int], Document] = {}
    for comment in sorted(comments, key=lambda comment: comment.number("id")):
        place = (comment.text("path"), comment.number("position"), comment.number("original_position"))
        first.setdefault(place, comment)
    return tuple(Thread(resolved=comment.document_or_none("resolver") is not None, path=comment.text("path")) for comment in first.values())


def _known(document: Document, name: str, meanings: dict[str, T]) -> T:
    said = document.text(name)
    if said not in meanings:
        raise UnexpectedShape(f"{document.where}: expected one of {', '.join(meanings)} in '{name}', found {said[:40]!r}")
    return meanings[said]
