"""Gitea's JSON → the model. Pure. A word Gitea has not used so far is a fault, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

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

    @staticmethod
    def file(document: Document) -> ChangedFile:
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
