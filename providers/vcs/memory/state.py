"""What the memory forge keeps: accounts, repositories, changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from providers.errors import NotFound
from providers.vcs.membership import Role
from providers.vcs.memory.git import Objects
from providers.vcs.model import (
    Actor,
    ActorKind,
    Change,
    ChangeState,
    Comment,
    Repository,
    Review,
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
class StoredTeam:
    id: str
    name: str
    members: dict[str, Actor] = field(default_factory=dict)
    maintainers: dict[str, Actor] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StoredOrganization:
    """`owners`, `members` and a team's are by account id; owners and members of teams are members. `teams` are by name."""

    id: str
    name: str
    owners: dict[str, Actor] = field(default_factory=dict)
    members: dict[str, Actor] = field(default_factory=dict)
    teams: dict[str, StoredTeam] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StoredRepository:
    """`branches`: name → sha. `statuses`: sha → context → the newest. `rules`: protected branch → what it demands.

    `roles` and `team_roles`: by account id and by the team's name.
    """

    id: str
    name: str
    branches: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, dict[str, StoredStatus]] = field(default_factory=dict)
    rules: dict[str, StoredRule] = field(default_factory=dict)
    hooks: dict[str, StoredHook] = field(default_factory=dict)
    changes: dict[int, StoredChange] = field(default_factory=dict)
    roles: dict[str, tuple[Actor, Role]] = field(default_factory=dict)
    team_roles: dict[str, Role] = field(default_factory=dict)
    public: bool = True


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
        self.organizations: dict[str, StoredOrganization] = {}
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

    def organization(self, name: str) -> StoredOrganization:
        """By name, in any case. Raises NotFound."""
        found = self.organizations.get(name.lower())
        if found is None:
            raise NotFound(f"no organisation '{name}' on this forge")
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
