"""Groups, subgroups and roles on GitLab: https://docs.gitlab.com/user/permissions/

A group at the top is an organisation, the groups below it are its teams. Who has which role on a project is not a matter of
groups alone (each of their members has a level of its own), so roles are told account by account, as GitLab counts them:
inherited from groups above and of invited groups too. A team's members are those it has itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.errors import NotFound, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import GitLabClient, path_of
from providers.vcs.gitlab.facts import Facts
from providers.vcs.membership import Grant, Organization, OrganizationMembers, RepositoryMembers, Role, Team, TeamMembers
from providers.vcs.model import Actor

OWNER = 50
_ROLES = ((OWNER, Role.OWNER), (40, Role.MAINTAINER), (30, Role.WRITER), (20, Role.TRIAGER))
_GUEST = 10


async def members(client: GitLabClient, connection: str, repository: str) -> RepositoryMembers:
    """Who has which role on a project. Raises as the port says."""
    path, facts = path_of("projects", repository), Facts(connection)
    try:
        settings = await client.get(path)
        public = settings.text("visibility") == "public"
        listed = _active(await client.everything(f"{path}/members/all"))
        grants = [Grant(holder=facts.actor(one), role=role) for one in listed if (role := _role(one, public=public)) is not None]
        return RepositoryMembers(
            repository=facts.repository(settings.number("id"), settings.text("path_with_namespace")),
            organization=await _organization_of(client, connection, settings),
            public=public,
            grants=tuple(sorted(grants, key=lambda grant: grant.holder.ref)),
        )
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _organization_of(client: GitLabClient, connection: str, settings: Document) -> Organization | None:
    """The group at the top of the project's path; None where it belongs to an account."""
    namespace = settings.document("namespace")
    if namespace.text("kind") != "group":
        return None
    top = namespace.text("full_path").partition("/")[0]
    return _organization(connection, await client.get(path_of("groups", top), with_projects="false"))


async def teams(client: GitLabClient, connection: str, organization: str) -> OrganizationMembers:
    """Everybody in a group and in those below it. Raises as the port says."""
    if "/" in organization:
        raise NotFound(f"'{organization}' is a group below another one, so it is a team and no organisation")
    path, facts = path_of("groups", organization), Facts(connection)
    try:
        found, listed, below = await asyncio.gather(
            client.get(path, with_projects="false"),
            client.everything(f"{path}/members/all"),
            client.everything(f"{path}/descendant_groups"),
        )
        inside = await asyncio.gather(*(_team(client, facts, group) for group in below))
        own = _active(listed)
        everybody = [facts.actor(one) for one in own] + [actor for team in inside for actor in team.members]
        return OrganizationMembers(
            organization=_organization(connection, found),
            owners=_by_login([facts.actor(one) for one in own if one.number("access_level") >= OWNER]),
            members=_by_login(everybody),
            teams=tuple(sorted(inside, key=lambda team: team.team.name)),
        )
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def organization(client: GitLabClient, connection: str, name: str) -> Organization:
    """The group at the top of that name. Raises as the port says."""
    if "/" in name:
        raise NotFound(f"'{name}' is a group below another one, so it is a team and no organisation")
    try:
        return _organization(connection, await client.get(path_of("groups", name), with_projects="false"))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _team(client: GitLabClient, facts: Facts, group: Document) -> TeamMembers:
    id = group.number("id")
    listed = _active(await client.everything(path_of("groups", id, "members")))
    return TeamMembers(
        team=Team(id=str(id), name=group.text("full_path"), ref=f"team:{facts.connection}/{id}"),
        members=_by_login([facts.actor(one) for one in listed]),
        maintainers=_by_login([facts.actor(one) for one in listed if one.number("access_level") >= OWNER]),
    )


def _active(listed: Sequence[Document]) -> Sequence[Document]:
    """Members who can act: none who are blocked or wait for being let in."""
    return [one for one in listed if one.text("state") == "active" and (one.fields.get("membership_state") or "active") == "active"]


def _role(member: Document, *, public: bool) -> Role | None:
    """A guest reads what everybody may read, and not the code of a private project."""
    level = member.number("access_level")
    for least, role in _ROLES:
        if level >= least:
            return role
    return Role.READER if public and level >= _GUEST else None


def _by_login(actors: Sequence[Actor]) -> tuple[Actor, ...]:
    return tuple(sorted({actor.id: actor for actor in actors}.values(), key=lambda actor: actor.login))


def _organization(connection: str, document: Document) -> Organization:
    id = str(document.number("id"))
    return Organization(id=id, name=document.text("full_path"), ref=f"organization:{connection}/{id}")
