"""A proposed merge and what surrounds it, the same for every forge: frozen values, pure.

`None` means "this forge cannot say" and nothing else; an empty tuple means "there are none"; NOT_READ means that whoever asked
said they have no use for it.
Times are aware. The field names are the input's names (design: `policies/schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final


class ActorKind(StrEnum):
    """What acts: a person, a program, or an account that no longer exists."""

    USER = "user"
    BOT = "bot"
    GHOST = "ghost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An account on one forge. A login is not a person: names are reused, so identity is `ref`.

    ref: `user:<connection>/<immutable id>`.
    """

    id: str
    login: str
    kind: ActorKind
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`name` is `owner/name` as the forge writes it; `id` never changes; `ref` is `repository:<connection>/<id>`."""

    id: str
    name: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is proposed. `repository` is None when the fork was deleted; `fork` is True if it is another repository."""

    ref: str
    sha: str
    repository: str | None
    fork: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where it would land. `sha` is the branch's tip; `protected` None = this forge or this token cannot say."""

    ref: str
    sha: str
    protected: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A change stacked on others: it finally lands on `base`; `position` counts from 1 at the bottom."""

    id: str
    position: int
    size: int
    base: Base


class ChangeState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class FileStatus(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    path: str
    status: FileStatus
    previous_path: str | None = None
    additions: int | None = None
    deletions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A name written into a commit by whoever made it: free text, proves nothing. `actor` if the forge matched an account."""

    name: str
    email: str
    actor: Actor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Oldest first in a change. `verified` is the forge's word on the signature."""

    sha: str
    message: str
    author: Signature
    committer: Signature
    verified: bool | None
    parents: tuple[str, ...]
    via_web: bool | None = None
    first_seen_at: datetime | None = None


class ReviewState(StrEnum):
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    COMMENTED = "commented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One review, oldest first. `commit_sha` is what it was given on (the reviewer may choose it: compare with the head)."""

    user: Actor
    state: ReviewState
    commit_sha: str | None
    submitted_at: datetime | None
    dismissed: bool


class CheckState(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A status or check on the head, the newest of its name and source; never the gateway's own.

    conclusion: None while pending, else `success | failure | error | skipped | neutral | warning | cancelled |
    timed_out | action_required | stale`.
    source: who reported it: an app or an account's login; None if the forge does not say.
    """

    name: str
    state: CheckState
    conclusion: str | None
    source: str | None
    sha: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    user: Actor
    body: str
    created_at: datetime
    edited: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    resolved: bool | None
    path: str | None


class NotRead(Enum):
    """In the place of a fact that was left out. It is no list: whoever takes it for one fails."""

    NOT_READ = "not read"


NOT_READ: Final = NotRead.NOT_READ
MAY_BE_LEFT_OUT = frozenset({"reviews", "requested_reviewers", "checks", "comments", "threads", "dependencies"})
"""The facts of a change that cost a forge's answers of their own, and by which no reading is told to be of one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A proposed merge: what the forge said of it at one moment; whole, but for facts that were to be left out."""

    connection: str
    forge: str
    repository: Repository
    number: int
    url: str
    title: str
    body: str
    author: Actor
    labels: tuple[str, ...]
    draft: bool
    state: ChangeState
    head: Head
    base: Base
    stack: Stack | None
    mergeable: bool | None
    files: tuple[ChangedFile, ...]
    commits: tuple[Commit, ...]
    reviews: tuple[Review, ...] | NotRead
    requested_reviewers: tuple[Actor, ...] | NotRead
    checks: tuple[Check, ...] | NotRead
    comments: tuple[Comment, ...] | NotRead | None
    threads: tuple[Thread, ...] | NotRead | None
    dependencies: tuple[str, ...] | NotRead | None
    """URLs of changes that have to be merged first."""
    created_at: datetime
    updated_at: datetime
    merged_sha: str | None = None
    merged_by: Actor | None = None

    @property
    def target_branch(self) -> str:
        """The branch the change finally lands on: of a stack, its bottom's base."""
        return self.stack.base.ref if self.stack is not None else self.base.ref

    @property
    def target_tip(self) -> str:
        """Where that branch pointed when the change was read: a commit."""
        return self.stack.base.sha if self.stack is not None else self.base.sha

    @property
    def left_out(self) -> frozenset[str]:
        """The facts it was read without."""
        return frozenset(name for name in MAY_BE_LEFT_OUT if getattr(self, name) is NOT_READ)
