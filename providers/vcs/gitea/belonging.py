"""Organisations, teams and roles on Gitea: https://docs.gitea.com/usage/permissions

A repository's own collaborators are told with the role Gitea counts them by. What only an owner of the organisation may
see (the members of a team) is asked for as such: an outsider's list of members would be a part of it, without saying so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.errors import AccessRefused, NotFound, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea.client import GiteaClient, Refused, TokenRefused, path_of
from providers.vcs.gitea.facts import Facts
from providers.vcs.membership import Grant, Organization, OrganizationMembers, RepositoryMembers, Role, Team, TeamMembers
from providers.vcs.model import Actor

_ROLES = {"owner": Role.OWNER, "admin": Role.OWNER, "write": Role.WRITER, "read": Role.READER}
_NONE = "none"


async def members(client: GiteaClient, connection: str, repository: str) -> RepositoryMembers:
    """Who has which role on a repository. Raises as the port says; AccessRefused unless the account administers it."""
    base, facts = path_of("repos", repository), Facts(connection)
    try:
        settings = await client.get(base)
        owner = settings.document("owner")
        listed = await _repository_teams(client, base)
        collaborators = await client.everything(f"{base}/collaborators")
        roles = await asyncio.gather(*(_role(client, base, account) for account in collaborators))
        grants = [Grant(holder=facts.actor(a), role=role) for a, role in zip(collaborators, roles, strict=True) if role is not None]
        if listed is None:
            grants.append(Grant(holder=facts.actor(owner), role=Role.OWNER))
        else:
            others = [team for team in listed if not _owns(team)]
            grants += [Grant(holder=_team(connection, owner.text("login"), t), role=r) for t in others if (r := team_role(t)) is not None]
        return RepositoryMembers(
            repository=facts.repository(settings),
            organization=_organization(connection, owner) if listed is not None else None,
            public=not settings.flag("private") and not settings.flag("internal"),
            grants=tuple(sorted(grants, key=lambda grant: grant.holder.ref)),
        )
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _repository_teams(client: GiteaClient, base: str) -> Sequence[Document] | None:
    """The teams with a role on it, in one page; None where it belongs to an account."""
    try:
        return await client.listed(f"{base}/teams")
    except Refused as refused:
        if refused.status == 405:
            return None
        raise


async def _role(client: GiteaClient, base: str, account: Document) -> Role | None:
    """A collaborator's role; None for one who went while the list was read."""
    try:
        answer = await client.get(f"{base}/collaborators" + path_of(account.text("login")) + "/permission")
    except AccessRefused as refused:
        raise AccessRefused(str(refused), advice="make the gateway's account an administrator of the repository") from refused
    except NotFound as gone:
        raise TornFacts(f"GET {base}/collaborators: it changed while it was read") from gone
    return _known(answer, answer.text("permission"))


def team_role(team: Document) -> Role | None:
    """What a team may do with the repositories it has. One with a permission for each unit counts by that for the code,
    or, where it may change but the code, as triager."""
    said = team.text("permission")
    if said != _NONE:
        return _known(team, said)
    units = team.document("units_map").fields
    code = _known(team, str(units.get("repo.code", _NONE)))
    works = "write" in (units.get("repo.pulls"), units.get("repo.issues"))
    return Role.TRIAGER if works and code in (None, Role.READER) else code


def _known(document: Document, said: str) -> Role | None:
    if said != _NONE and said not in _ROLES:
        raise UnexpectedShape(f"{document.where}: expected a known permission, found {said[:40]!r}")
    return _ROLES.get(said)


async def teams(client: GiteaClient, connection: str, organization: str) -> OrganizationMembers:
    """Everybody in an organisation, by team. Raises as the port says; AccessRefused unless the account owns it."""
    base, facts = path_of("orgs", organization), Facts(connection)
    try:
        found = await client.get(base)
        listed = await client.everything(f"{base}/teams")
        people = await asyncio.gather(*(_team_members(client, facts, team) for team in listed))
        everybody = _by_login([facts.actor(account) for account in await client.everything(f"{base}/members")])
        owners = _by_login([a for team, inside in zip(listed, people, strict=True) if _owns(team) for a in inside])
        if not {actor.id for inside in people for actor in inside} <= {actor.id for actor in everybody}:
            raise TornFacts(f"GET {base}/members: it changed while it was read")
        told = [
            TeamMembers(team=_team(connection, found.text("name"), team), members=inside, maintainers=())
            for team, inside in zip(listed, people, strict=True)
            if not _owns(team)
        ]
        return OrganizationMembers(
            organization=_organization(connection, found),
            owners=owners,
            members=everybody,
            teams=tuple(sorted(told, key=lambda one: one.team.name)),
        )
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def organization(client: GiteaClient, connection: str, name: str) -> Organization:
    """The organisation of that name. Raises as the port says."""
    try:
        return _organization(connection, await client.get(path_of("orgs", name)))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _team_members(client: GiteaClient, facts: Facts, team: Document) -> tuple[Actor, ...]:
    try:
        accounts = await client.everything(path_of("teams", team.number("id"), "members"))
    except TokenRefused:
        raise
    except (NotFound, AccessRefused) as hidden:
        advice = "make the gateway's account an owner of the organisation"
        raise AccessRefused(f"{hidden}: the members of team '{team.text('name')}' are not shown", advice=advice) from hidden
    return _by_login([facts.actor(account) for account in accounts])


def _owns(team: Document) -> bool:
    """Gitea's own team of owners; it is told as the organisation's owners, not as a team."""
    return team.text("permission") == "owner"


def _by_login(actors: Sequence[Actor]) -> tuple[Actor, ...]:
    return tuple(sorted({actor.id: actor for actor in actors}.values(), key=lambda actor: actor.login))


def _organization(connection: str, document: Document) -> Organization:
    id = str(document.number("id"))
    return Organization(id=id, name=document.text_or_none("login") or document.text("name"), ref=f"organization:{connection}/{id}")


def _team(connection: str, organization: str, document: Document) -> Team:
    id = str(document.number("id"))
    return Team(id=id, name=f"{organization}/{document.text('name')}", ref=f"team:{connection}/{id}")
