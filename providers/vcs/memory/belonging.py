"""Organisations, teams and roles on the memory forge: how they come about, and how they are told.

Separate from `people`, since no change has anything to do with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.vcs.membership import (
    Grant,
    Organization,
    OrganizationMembers,
    RepositoryMembers,
    Role,
    Team,
    TeamMembers,
)
from providers.vcs.memory.hosting import Hosting
from providers.vcs.memory.state import StoredOrganization, StoredTeam, World
from providers.vcs.model import Actor
from providers.vcs.port import MembersEvent


class Belonging(Hosting):
    """Who belongs to what. Names are made when first named; every act tells of itself by a delivery."""

    def create_organization(self, name: str, *, owners: tuple[str, ...] = ()) -> Organization:
        """An organisation; from now on `name/…` repositories are its."""
        stored = StoredOrganization(id=self.world.new_id(), name=name)
        self.world.organizations[name.lower()] = stored
        for login in owners:
            self.join(name, login, owner=True)
        return _organization(self.world, stored)

    def join(self, organization: str, login: str, *, owner: bool = False) -> None:
        """Become a member, or an owner."""
        stored, actor = self.world.organization(organization), self.account(login)
        stored.members[actor.id] = actor
        if owner:
            stored.owners[actor.id] = actor
        self._tell("organization.member_added", organization=stored.name)

    def leave(self, organization: str, login: str) -> None:
        """Leave the organisation and all its teams."""
        stored, id = self.world.organization(organization), self.account(login).id
        for place in (stored.members, stored.owners, *(team.members for team in stored.teams.values())):
            place.pop(id, None)
        for team in stored.teams.values():
            team.maintainers.pop(id, None)
        self._tell("organization.member_removed", organization=stored.name)

    def join_team(self, organization: str, team: str, *logins: str, maintainer: bool = False) -> None:
        """Become members of a team, which is made if it is new; with no login it is only made."""
        stored = self.world.organization(organization)
        place = stored.teams.setdefault(team, StoredTeam(id=self.world.new_id(), name=team))
        for actor in map(self.account, logins):
            stored.members[actor.id] = place.members[actor.id] = actor
            if maintainer:
                place.maintainers[actor.id] = actor
        self._tell("team.member_added", organization=stored.name)

    def leave_team(self, organization: str, team: str, login: str) -> None:
        """Leave one team; the membership in the organisation stays."""
        stored, id = self.world.organization(organization), self.account(login).id
        stored.teams[team].members.pop(id, None)
        stored.teams[team].maintainers.pop(id, None)
        self._tell("team.member_removed", organization=stored.name)

    def grant(self, repository: str, login: str, role: Role | None) -> None:
        """Give an account a role on a repository; None takes it away."""
        stored, actor = self.world.repository(repository), self.account(login)
        stored.roles.pop(actor.id, None)
        if role is not None:
            stored.roles[actor.id] = (actor, role)
        self._tell("repository.member_changed", repository=stored.name)

    def grant_team(self, repository: str, team: str, role: Role | None) -> None:
        """Give a team of the repository's organisation a role; None takes it away."""
        stored = self.world.repository(repository)
        stored.team_roles.pop(team, None)
        if role is not None:
            stored.team_roles[team] = role
        self._tell("repository.team_changed", repository=stored.name)

    def _tell(self, what: str, *, organization: str | None = None, repository: str | None = None) -> None:
        self._send(MembersEvent(organization=organization, repository=repository, what=what))


def members(world: World, repository: str) -> RepositoryMembers:
    """Who has which role now. Raises NotFound."""
    stored = world.repository(repository)
    owner = stored.name.partition("/")[0]
    organization = world.organizations.get(owner.lower())
    grants = [Grant(holder=world.shown(actor), role=role) for actor, role in stored.roles.values() if actor.id not in world.ghosts]
    if organization is None:
        grants.insert(0, Grant(holder=world.account(owner), role=Role.OWNER))
    else:
        grants += [Grant(holder=_team(world, organization, organization.teams[n]), role=role) for n, role in stored.team_roles.items()]
    return RepositoryMembers(
        repository=world.value(stored),
        organization=_organization(world, organization) if organization is not None else None,
        public=stored.public,
        grants=tuple(sorted(grants, key=lambda grant: grant.holder.ref)),
    )


def teams(world: World, organization: str) -> OrganizationMembers:
    """Everybody in it now. Raises NotFound."""
    stored = world.organization(organization)
    return OrganizationMembers(
        organization=_organization(world, stored),
        owners=_people(world, stored.owners),
        members=_people(world, stored.members),
        teams=tuple(
            TeamMembers(team=_team(world, stored, team), members=_people(world, team.members), maintainers=_people(world, team.maintainers))
            for _, team in sorted(stored.teams.items())
        ),
    )


def organization(world: World, name: str) -> Organization:
    """As it is called now. Raises NotFound."""
    return _organization(world, world.organization(name))


def _people(world: World, actors: Mapping[str, Actor]) -> tuple[Actor, ...]:
    """By login; a deleted account is a member of nothing."""
    return tuple(sorted((actor for id, actor in actors.items() if id not in world.ghosts), key=lambda actor: actor.login))


def _organization(world: World, stored: StoredOrganization) -> Organization:
    return Organization(id=stored.id, name=stored.name, ref=f"organization:{world.connection}/{stored.id}")


def _team(world: World, organization: StoredOrganization, stored: StoredTeam) -> Team:
    return Team(id=stored.id, name=f"{organization.name}/{stored.name}", ref=f"team:{world.connection}/{stored.id}")
