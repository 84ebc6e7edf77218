"""GitLab's JSON → the model. Pure. A word GitLab has not used so far is a fault, never a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    Signature,
    Thread,
)

T = TypeVar("T")

OWN_CONTEXTS = "admit/"
"""The gateway's own statuses; they are its answer, never its facts."""

_STATES = {"opened": ChangeState.OPEN, "locked": ChangeState.OPEN, "closed": ChangeState.CLOSED, "merged": ChangeState.MERGED}
CHECKING = frozenset({"unchecked", "checking", "preparing", "approvals_syncing"})
"""What `detailed_merge_status` says before GitLab knows; a merge it refuses then it may allow a moment later."""
_CONCLUSIONS = {
    "success": "success",
    "failed": "failure",
    "canceled": "cancelled",
    "skipped": "skipped",
    "manual": "action_required",
}
_PENDING = frozenset(
    {"created", "waiting_for_resource", "waiting_for_callback", "preparing", "pending", "running", "canceling", "scheduled"}
)
_BOT = re.compile(r"(project|group)_\d+_bot(_\w+)?|service_account_\w+", re.ASCII)
"""How GitLab names the accounts behind project and group tokens, and service accounts."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Turns documents into values that carry the connection's name in their refs."""

    connection: str

    def repository(self, id: int, name: str) -> Repository:
        return Repository(id=str(id), name=name, ref=f"repository:{self.connection}/{id}")

    def actor(self, document: Document | None) -> Actor:
        """An account. GitLab gives what a deleted one did to its account `ghost`; all ghosts are the same nobody."""
        if document is None or document.text("username").lower() == "ghost":
            return Actor(id="ghost", login="ghost", kind=ActorKind.GHOST, ref=f"user:{self.connection}/ghost")
        id, login = document.number("id"), document.text("username")
        return self._account(str(id), login)

    def _account(self, id: str, login: str) -> Actor:
        kind = ActorKind.BOT if _BOT.fullmatch(login) else ActorKind.USER
        return Actor(id=id, login=login, kind=kind, ref=f"user:{self.connection}/{id}")

    @staticmethod
    def state(merge_request: Document) -> ChangeState:
        """`locked` is being merged: not yet merged."""
        return known(merge_request, "state", _STATES)

    @staticmethod
    def file(document: Document) -> ChangedFile:
        status = FileStatus.MODIFIED
        for flag, meaning in (
            ("renamed_file", FileStatus.RENAMED),
            ("new_file", FileStatus.ADDED),
            ("deleted_file", FileStatus.REMOVED),
        ):
            status = meaning if document.flag(flag) else status
        hidden = bool(document.fields.get("collapsed")) or bool(document.fields.get("too_large"))
        additions, deletions = (None, None) if hidden else _lines(document.text("diff"))
        old, new = document.text("old_path"), document.text("new_path")
        return ChangedFile(
            path=new, status=status, previous_path=old if status is FileStatus.RENAMED else None, additions=additions, deletions=deletions
        )

    def commit(self, document: Document, seen: Document) -> Commit:
        """`seen`: the same commit as GraphQL tells it, with the account of its author and whether its signature holds."""
        author = seen.document_or_none("author")
        account = self.actor_of_graphql(author) if author is not None else None
        same = document.text("author_email").lower() == document.text("committer_email").lower()
        signature = seen.document_or_none("signature")
        return Commit(
            sha=document.text("id"),
            message=document.text("message").rstrip("\n"),
            author=Signature(name=document.text("author_name"), email=document.text("author_email"), actor=account),
            committer=Signature(
                name=document.text("committer_name"), email=document.text("committer_email"), actor=account if same else None
            ),
            verified=signature is not None and signature.text("verificationStatus").startswith("VERIFIED"),
            parents=tuple(document.texts("parent_ids")),
        )

    def actor_of_graphql(self, document: Document) -> Actor:
        """GraphQL names an account by `gid://gitlab/User/7`."""
        login = document.text("username")
        if login.lower() == "ghost":
            return self.actor(None)
        kind, _, id = document.text("id").removeprefix("gid://gitlab/").partition("/")
        if kind != "User" or not id.isdecimal():
            raise UnexpectedShape(f"{document.where}: expected gid://gitlab/User/…, found {document.text('id')[:40]!r}")
        return self._account(id, login)

    def checks(self, statuses: Sequence[Document], sha: str) -> tuple[Check, ...]:
        """The newest status or job of each name, without the gateway's own. One commit may have several pipelines."""
        newest: dict[str, Document] = {}
        for status in sorted(statuses, key=lambda status: status.number("id")):
            newest[status.text("name")] = status
        return tuple(self._check(newest[name], sha) for name in sorted(newest) if not name.startswith(OWN_CONTEXTS))

    def _check(self, document: Document, sha: str) -> Check:
        said = document.text("status")
        if said not in _CONCLUSIONS and said not in _PENDING:
            raise UnexpectedShape(f"{document.where}: expected a known status, found {said[:40]!r}")
        conclusion = _CONCLUSIONS.get(said)
        if conclusion == "failure" and document.flag("allow_failure"):
            conclusion = "warning"
        author = document.document_or_none("author")
        return Check(
            name=document.text("name"),
            state=CheckState.COMPLETED if conclusion else CheckState.PENDING,
            conclusion=conclusion,
            source=author.text("username") if author is not None else None,
            sha=sha,
            url=document.text_or_none("target_url"),
        )

    def comments(self, discussions: Sequence[Document]) -> tuple[Comment, ...]:
        """What people wrote, oldest first, but for conversations on files (`threads`) and what GitLab itself noted."""
        notes = [note for discussion in discussions for note in discussion.documents("notes")]
        written = [note for note in notes if not note.flag("system") and note.fields.get("type") != "DiffNote"]
        return tuple(
            Comment(
                user=self.actor(note.document_or_none("author")),
                body=note.text("body"),
                created_at=note.time("created_at"),
                # Resolving a note counts as an update too.
                edited=None if note.fields.get("resolved") else note.text("created_at") != note.text("updated_at"),
            )
            for note in sorted(written, key=lambda note: (note.time("created_at"), note.number("id")))
        )


def threads(discussions: Sequence[Document]) -> tuple[Thread, ...]:
    """Every conversation that can be resolved; it is once all its notes that can be are."""
    found = []
    for discussion in discussions:
        resolvable = [note for note in discussion.documents("notes") if note.flag("resolvable")]
        if not resolvable:
            continue
        position = resolvable[0].document_or_none("position")
        path = (position.text_or_none("new_path") or position.text_or_none("old_path")) if position is not None else None
        found.append(Thread(resolved=all(note.flag("resolved") for note in resolvable), path=path))
    return tuple(found)


def mergeable(merge_request: Document) -> bool | None:
    """Whether it would merge without a conflict; None while GitLab still looks."""
    status = merge_request.text("detailed_merge_status")
    if merge_request.flag("has_conflicts") or status == "conflict":
        return False
    return None if status in CHECKING else True


def merged_sha(merge_request: Document) -> str | None:
    """What the target branch became: a merge commit, a squashed one, or (fast-forward) the head itself."""
    if merge_request.text("state") != "merged":
        return None
    return merge_request.text_or_none("merge_commit_sha") or merge_request.text_or_none("squash_commit_sha") or merge_request.text("sha")


def full_name(merge_request: Document) -> str:
    """The project's path, from the reference `group/project!7`."""
    return merge_request.document("references").text("full").rpartition("!")[0]


def known(document: Document, name: str, meanings: Mapping[str, T]) -> T:
    said = document.text(name)
    if said not in meanings:
        raise UnexpectedShape(f"{document.where}: expected one of {', '.join(meanings)} in '{name}', found {said[:40]!r}")
    return meanings[said]


def _lines(diff: str) -> tuple[int, int]:
    """Lines added and removed. GitLab's diff of one file begins with its first hunk; a binary one has none."""
    added = removed = 0
    inside = False
    for line in diff.split("\n"):
        inside = inside or line.startswith("@@")
        added += inside and line.startswith("+")
        removed += inside and line.startswith("-")
    return added, removed
