"""What the memory forge keeps: accounts, repositories, changes; and how a change looks from outside at this moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from providers.errors import NotFound
from providers.vcs.memory.git import Objects, changed_files
from providers.vcs.model import (
    Actor,
    ActorKind,
    Base,
    Change,
    ChangeState,
    Check,
    CheckState,
    Comment,
    Commit,
    Head,
    Repository,
    Review,
    Signature,
    Thread,
)
from providers.vcs.port import ChangeKey
from providers.vcs.setup import Gap

OWN_LOGIN = "admit"
"""The account the gateway itself acts with."""
OWN_CONTEXTS = "admit/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    context: str
    state: str
    description: str
    target_url: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule:
    """What a protected branch demands of a change, and which ways round it are open."""

    contexts: frozenset[str] = frozenset()
    gaps: frozenset[Gap] = frozenset({Gap.OTHERS_MAY_MERGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHook:
    secret: str
    active: bool = True


@dataclass(slots=True, kw_only=True)
class StoredRepository:
    """`branches`: name → sha. `statuses`: sha → context → the newest. `rules`: protected branch → what it demands."""

    id: str
    name: str
    branches: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, dict[str, StoredStatus]] = field(default_factory=dict)
    rules: dict[str, StoredRule] = field(default_factory=dict)
    hooks: dict[str, StoredHook] = field(default_factory=dict)
    changes: dict[int, StoredChange] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StoredChange:
    """`head_repository` is None once the fork was deleted; `before` is how the change looked before its last event."""

    number: int
    title: str
    body: str
    author: Actor
    head_repository: str | None
    head_ref: str
    head_sha: str
    fork: bool
    base_ref: str
    draft: bool
    labels: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    state: ChangeState = ChangeState.OPEN
    reviews: list[Review] = field(default_factory=list)
    requested: list[Actor] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    dependencies: list[ChangeKey] = field(default_factory=list)
    merged_sha: str | None = None
    merged_by: Actor | None = None
    landed_on: str | None = None
    before: Change | None = None


class World:
    """Everything on the forge, and the ways in. Not for use from several threads."""

    def __init__(self, *, connection: str, url: str, clock: Callable[[], datetime]) -> None:
        self.connection = connection
        self.url = url.rstrip("/")
        self.clock = clock
        self.objects = Objects()
        self.accounts: dict[str, Actor] = {}
        self.ghosts: set[str] = set()
        self.repositories: dict[str, StoredRepository] = {}
        self._ids = 0

    def new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def account(self, login: str, *, kind: ActorKind = ActorKind.USER) -> Actor:
        """The account with this login, made if it is new."""
        if login not in self.accounts:
            id = self.new_id()
            self.accounts[login] = Actor(id=id, login=login, kind=kind, ref=f"user:{self.connection}/{id}")
        return self.accounts[login]

    def shown(self, actor: Actor) -> Actor:
        """The account as others see it: a ghost once it was deleted."""
        if actor.id not in self.ghosts:
            return actor
        return Actor(id="ghost", login="ghost", kind=ActorKind.GHOST, ref=f"user:{self.connection}/ghost")

    def repository(self, name: str) -> StoredRepository:
        """By `owner/name`, in any case. Raises NotFound."""
        found = self.repositories.get(name.lower())
        if found is None:
            raise NotFound(f"no repository '{name}' on this forge")
        return found

    def change(self, key: ChangeKey) -> StoredChange:
        """Raises NotFound."""
        found = self.repository(key.repository).changes.get(key.number)
        if found is None:
            raise NotFound(f"no change {key.number} in '{key.repository}'")
        return found

    def value(self, repository: StoredRepository) -> Repository:
        return Repository(id=repository.id, name=repository.name, ref=f"repository:{self.connection}/{repository.id}")

    def url_of(self, repository: StoredRepository, number: int) -> str:
        return f"{self.url}/{repository.name}/changes/{number}"

    # --- a change from outside ------------------------------------------------------------

    def facts(self, key: ChangeKey) -> Change:
        """The change as it stands now."""
        repository, change = self.repository(key.repository), self.change(key)
        base_sha = change.landed_on or repository.branches.get(change.base_ref, "")
        return Change(
            connection=self.connection,
            forge="memory",
            repository=self.value(repository),
            number=change.number,
            url=self.url_of(repository, change.number),
            title=change.title,
            body=change.body,
            author=self.shown(change.author),
            labels=tuple(sorted(change.labels)),
            draft=change.draft,
            state=change.state,
            head=Head(ref=change.head_ref, sha=change.head_sha, repository=change.head_repository, fork=change.fork),
            base=Base(ref=change.base_ref, sha=repository.branches.get(change.base_ref, ""), protected=change.base_ref in repository.rules),
            stack=None,
            mergeable=self._mergeable(change, base_sha),
            files=changed_files(self.objects.tree(self.objects.merge_base(base_sha, change.head_sha)), self.objects.tree(change.head_sha))
            if base_sha
            else (),
            commits=self._commits(base_sha, change.head_sha) if base_sha else (),
            reviews=tuple(
                Review(
                    user=self.shown(review.user),
                    state=review.state,
                    commit_sha=review.commit_sha,
                    submitted_at=review.submitted_at,
                    dismissed=review.dismissed,
                )
                for review in change.reviews
            ),
            requested_reviewers=tuple(self.shown(actor) for actor in change.requested),
            checks=self._checks(repository, change.head_sha),
            comments=tuple(
                Comment(user=self.shown(comment.user), body=comment.body, created_at=comment.created_at, edited=comment.edited)
                for comment in change.comments
            ),
            threads=tuple(change.threads),
            dependencies=self._dependencies(change),
            created_at=change.created_at,
            updated_at=change.updated_at,
            merged_sha=change.merged_sha,
            merged_by=self.shown(change.merged_by) if change.merged_by is not None else None,
        )

    def _dependencies(self, change: StoredChange) -> tuple[str, ...]:
        waited_for = (key for key in change.dependencies if self.change(key).state is ChangeState.OPEN)
        return tuple(sorted(self.url_of(self.repository(key.repository), key.number) for key in waited_for))

    def _mergeable(self, change: StoredChange, base_sha: str) -> bool:
        return change.state is ChangeState.OPEN and bool(base_sha) and self.objects.merged(base_sha, change.head_sha) is not None

    def _commits(self, base_sha: str, head_sha: str) -> tuple[Commit, ...]:
        found = []
        for stored in self.objects.ahead(base_sha, head_sha):
            actor = self.shown(stored.author)
            signature = Signature(name=stored.author.login, email=f"{stored.author.login}@memory.invalid", actor=actor)
            found.append(
                Commit(
                    sha=stored.sha,
                    message=stored.message,
                    author=signature,
                    committer=signature,
                    verified=stored.verified,
                    parents=stored.parents,
                    via_web=False,
                    first_seen_at=stored.at,
                )
            )
        return tuple(found)

    def _checks(self, repository: StoredRepository, sha: str) -> tuple[Check, ...]:
        others = [s for s in repository.statuses.get(sha, {}).values() if not s.context.startswith(OWN_CONTEXTS)]
        return tuple(
            Check(
                name=status.context,
                state=CheckState.PENDING if status.state == "pending" else CheckState.COMPLETED,
                conclusion=None if status.state == "pending" else status.state,
                source=status.by,
                sha=sha,
                url=status.target_url or None,
            )
            for status in sorted(others, key=lambda status: status.context)
        )
