"""GitHub's JSON → the model. Pure. A word GitHub has not used so far is a fault, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.model import (
    Actor,
    ActorKind,
    Base,
    ChangedFile,
    ChangeState,
    Comment,
    Commit,
    FileStatus,
    Repository,
    Review,
    ReviewState,
    Signature,
    Stack,
    Thread,
)

T = TypeVar("T")

_FILE_STATUS = {
    "added": FileStatus.ADDED,
    "removed": FileStatus.REMOVED,
    "modified": FileStatus.MODIFIED,
    "changed": FileStatus.MODIFIED,  # a mode, or a file that became a link
    "unchanged": FileStatus.MODIFIED,
    "renamed": FileStatus.RENAMED,
    "copied": FileStatus.COPIED,
}
_STATE = {"OPEN": ChangeState.OPEN, "CLOSED": ChangeState.CLOSED, "MERGED": ChangeState.MERGED}
_MERGEABLE = {"MERGEABLE": True, "CONFLICTING": False, "UNKNOWN": None}
_REVIEW_STATE = {
    "APPROVED": ReviewState.APPROVED,
    "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED,
    "COMMENTED": ReviewState.COMMENTED,
}
_KINDS = {
    "User": ActorKind.USER,
    "Mannequin": ActorKind.USER,
    "Organization": ActorKind.USER,
    "EnterpriseUserAccount": ActorKind.USER,
    "Bot": ActorKind.BOT,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Turns documents into values that carry the connection's name in their refs."""

    connection: str

    def repository(self, document: Document) -> Repository:
        """A repository as REST tells it."""
        return self.repository_named(document.number("id"), document.text("full_name"))

    def repository_named(self, id: int, name: str) -> Repository:
        return Repository(id=str(id), name=name, ref=f"repository:{self.connection}/{id}")

    def actor(self, document: Document | None) -> Actor:
        """An account as GraphQL tells it; a deleted one is null, and all of those are the same nobody.

        An App's account has the login REST and people know it by: `dependabot[bot]`.
        """
        if document is None:
            return Actor(id="ghost", login="ghost", kind=ActorKind.GHOST, ref=f"user:{self.connection}/ghost")
        kind, login = known(document, "__typename", _KINDS), document.text("login")
        owner = document.document("user") if document.text("__typename") == "EnterpriseUserAccount" else document
        id = owner.number("databaseId")
        if kind is ActorKind.BOT and not login.endswith("[bot]"):
            login = f"{login}[bot]"
        return Actor(id=str(id), login=login, kind=kind, ref=f"user:{self.connection}/{id}")

    def account(self, document: Document) -> Actor:
        """An account as REST tells it."""
        id = document.number("id")
        kind = ActorKind.BOT if document.text_or_none("type") == "Bot" else ActorKind.USER
        return Actor(id=str(id), login=document.text("login"), kind=kind, ref=f"user:{self.connection}/{id}")

    @staticmethod
    def state(pull: Document) -> ChangeState:
        """As GraphQL tells it."""
        return known(pull, "state", _STATE)

    @staticmethod
    def mergeable(pull: Document) -> bool | None:
        """None while GitHub is finding out."""
        return known(pull, "mergeable", _MERGEABLE)

    @staticmethod
    def file(document: Document) -> ChangedFile:
        return ChangedFile(
            path=document.text("filename"),
            status=known(document, "status", _FILE_STATUS),
            previous_path=document.text_or_none("previous_filename"),
            additions=document.number("additions"),
            deletions=document.number("deletions"),
        )

    def commit(self, document: Document) -> Commit:
        commit = document.document("commit")
        parents = commit.document("parents")
        if parents.number("totalCount") != len(parents.documents("nodes")):
            raise UnexpectedShape(f"{commit.where}: expected all of its {parents.number('totalCount')} parents")
        signature = commit.document_or_none("signature")
        return Commit(
            sha=commit.text("oid"),
            message=commit.text("message").rstrip("\n"),
            author=self._signature(commit.document_or_none("author")),
            committer=self._signature(commit.document_or_none("committer")),
            verified=signature.flag("isValid") if signature is not None else False,
            parents=tuple(parent.text("oid") for parent in parents.documents("nodes")),
            via_web=commit.flag("committedViaWeb"),
        )

    def _signature(self, written: Document | None) -> Signature:
        if written is None:
            return Signature(name="", email="")
        account = written.document_or_none("user")
        actor = self.actor(account) if account is not None else None
        return Signature(name=written.text_or_none("name") or "", email=written.text_or_none("email") or "", actor=actor)

    def reviews(self, documents: Sequence[Document], dismissals: Sequence[Document]) -> tuple[Review, ...]:
        """Oldest first. What a dismissed one had said is told by the event that dismissed it; else it said nothing that counts."""
        before = _before_dismissal(dismissals)
        given = [document for document in documents if document.text("state") != "PENDING"]
        found = []
        for document in given:
            dismissed = document.text("state") == "DISMISSED"
            commit = document.document_or_none("commit")
            found.append(
                Review(
                    user=self.actor(document.document_or_none("author")),
                    state=before.get(document.text("id"), ReviewState.COMMENTED) if dismissed else known(document, "state", _REVIEW_STATE),
                    commit_sha=commit.text("oid") if commit is not None else None,
                    submitted_at=document.time("submittedAt"),
                    dismissed=dismissed,
                )
            )
        return tuple(found)

    def requested_reviewers(self, documents: Sequence[Document]) -> tuple[Actor, ...]:
        """Whose review is awaited. Teams that are asked are no accounts."""
        asked = (document.document_or_none("requestedReviewer") for document in documents)
        return tuple(self.actor(who) for who in asked if who is not None and who.text("__typename") != "Team")

    def comment(self, document: Document) -> Comment:
        return Comment(
            user=self.actor(document.document_or_none("author")),
            body=document.text("body"),
            created_at=document.time("createdAt"),
            edited=document.text_or_none("lastEditedAt") is not None,
        )

    @staticmethod
    def thread(document: Document) -> Thread:
        return Thread(resolved=document.flag("isResolved"), path=document.text("path"))

    @staticmethod
    def base(pull: Document) -> Base:
        """The branch's tip as it is now; of a branch that is gone, what it was."""
        branch = pull.document_or_none("baseRef")
        if branch is None:
            return Base(ref=pull.text("baseRefName"), sha=pull.text("baseRefOid"), protected=None)
        rules = branch.document_or_none("rules")
        protected = branch.document_or_none("refUpdateRule") is not None or (rules is not None and rules.number("totalCount") > 0)
        return Base(ref=pull.text("baseRefName"), sha=branch.document("target").text("oid"), protected=protected)


def stack_of(pull: Document) -> Stack | None:
    """Where a pull request stands in a stack, as REST tells it (GraphQL does not)."""
    stack = pull.document_or_none("stack")
    if stack is None:
        return None
    base = stack.document("base")
    return Stack(
        id=str(stack.number("id")),
        position=stack.number("position"),
        size=stack.number("size"),
        base=Base(ref=base.text("ref"), sha=base.text("sha")),
    )


def state_by_rest(pull: Document) -> ChangeState:
    """As REST tells it: merged is a kind of closed there."""
    if pull.text_or_none("merged_at") is not None:
        return ChangeState.MERGED
    return known(pull, "state", {"open": ChangeState.OPEN, "closed": ChangeState.CLOSED})


def _before_dismissal(dismissals: Sequence[Document]) -> Mapping[str, ReviewState]:
    """Review → what it had said before it was dismissed."""
    found = {}
    for event in dismissals:
        review, said = event.document_or_none("review"), event.text("previousReviewState")
        if review is not None and said in _REVIEW_STATE:
            found[review.text("id")] = _REVIEW_STATE[said]
    return found


def known(document: Document, name: str, meanings: Mapping[str, T]) -> T:
    """What a word means here. Raises UnexpectedShape for one that GitHub has not used so far."""
    said = document.text(name)
    if said not in meanings:
        raise UnexpectedShape(f"{document.where}: expected one of {', '.join(meanings)} in '{name}', found {said[:40]!r}")
    return meanings[said]
