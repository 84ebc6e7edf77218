"""Who belongs to what on a forge: organisations, their teams, and who has which role on a repository. Frozen values, pure.

Separate from `model`, since no change is needed to know them: they become relationship tuples, not facts of a judgement.
Members are told as the forge counts them, whatever made them members (a team below, a group above, an invitation).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from providers.vcs.model import Actor, Repository


class Role(StrEnum):
    """What one may do with a repository, strongest first; each includes those below it."""

    OWNER = "owner"
    """Administers it, and decides who else does what."""
    MAINTAINER = "maintainer"
    """Changes its settings, but not who administers it."""
    WRITER = "writer"
    """Pushes and merges."""
    TRIAGER = "triager"
    """Works on its issues and changes without writing to it."""
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """What repositories and teams belong to; on GitLab a group at the top. `ref` is `organization:<connection>/<id>`."""

    id: str
    name: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Accounts of one organisation; on GitLab a group below it. `name` is `organisation/team` as the forge writes it.

    ref: `team:<connection>/<id>`.
    """

    id: str
    name: str
    ref: str


Holder: TypeAlias = Actor | Team | Organization
"""Who has a role: an account, everybody in a team, or everybody in an organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role on a repository. One holder may have several: the strongest counts."""

    holder: Holder
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryMembers:
    """Who has which role on a repository, by the holder's ref. `organization` is None where it belongs to an account.

    The owners of an organisation own its repositories, whether a grant says so or not.
    public: anybody may read it without having a role.
    """

    repository: Repository
    organization: Organization | None
    public: bool
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMembers:
    """Everybody a team counts as its member, by login; `maintainers` are those who decide who is one."""

    team: Team
    members: tuple[Actor, ...]
    maintainers: tuple[Actor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationMembers:
    """An organisation with everybody in it, by login (owners are members), and its teams, by name."""

    organization: Organization
    owners: tuple[Actor, ...]
    members: tuple[Actor, ...]
    teams: tuple[TeamMembers, ...]
