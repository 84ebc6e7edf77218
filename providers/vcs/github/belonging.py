"""Organisations, teams and roles on GitHub: https://docs.github.com/en/rest/collaborators and https://docs.github.com/en/rest/teams

A role an organisation made up for itself counts by the one it is made from, which GitHub tells as permissions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.errors import TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.facts import Facts
from providers.vcs.membership import Grant, Organization, OrganizationMembers, RepositoryMembers, Role, Team, TeamMembers
from providers.vcs.model import Actor

_STRONGEST_FIRST = (
    ("admin", Role.OWNER),
    ("maintain", Role.MAINTAINER),
    ("push", Role.WRITER),
    ("triage", Role.TRIAGER),
    ("pull", Role.READER),
)
_BY_DEFAULT = {"none": None, "read": Role.READER, "write": Role.WRITER, "admin": Role.OWNER}


async def members(client: GithubClient, connection: str, repository: str) -> RepositoryMembers:
    """Who has which role on a repository. Raises as the port says; AccessRefused unless the account may write to it."""
    base, facts = path_of("repos", repository), Facts(connection)
    try:
        settings = await client.get(base)
        owner = settings.document("owner")
        direct = await client.everything(f"{base}/collaborators", affiliation="direct")
        grants = [Grant(holder=facts.account(a), role=role) for a in direct if (role := _role(a)) is not None]
        organization = None
        if owner.text("type") == "Organization":
            described = await client.get(path_of("orgs", owner.text("login")))
            organization = _organization(connection, described)
            teams = await client.everything(f"{base}/teams")
            grants += [Grant(holder=_team(connection, organization.name, t), role=r) for t in teams if (r := _role(t)) is not None]
            grants += _by_default(described, organization)
        return RepositoryMembers(
            repository=facts.repository(settings),
            organization=organization,
            public=settings.text("visibility") == "public",
            grants=tuple(sorted(grants, key=lambda grant: grant.holder.ref)),
        )
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def teams(client: GithubClient, connection: str, organization: str) -> OrganizationMembers:
    """Everybody in an organisation, by team. Raises as the port says."""
    base, facts = path_of("orgs", organization), Facts(connection)
    try:
        found = _organization(connection, await client.get(base))
        listed = await client.everything(f"{base}/teams")
        told = await asyncio.gather(*(_team_members(client, facts, base, found.name, team) for team in listed))
        everybody = _by_login(facts, await client.everything(f"{base}/members", role="all"))
        owners = _by_login(facts, await client.everything(f"{base}/members", role="admin"))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    known = {actor.id for actor in everybody}
    if not {actor.id for team in told for actor in (*team.members, *team.maintainers)} | {actor.id for actor in owners} <= known:
        raise TornFacts(f"GET {base}/members: it changed while it was read")
    return OrganizationMembers(
        organization=found, owners=owners, members=everybody, teams=tuple(sorted(told, key=lambda one: one.team.name))
    )


async def organization(client: GithubClient, connection: str, name: str) -> Organization:
    """The organisation of that name. Raises as the port says."""
    try:
        return _organization(connection, await client.get(path_of("orgs", name)))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _team_members(client: GithubClient, facts: Facts, base: str, organization: str, team: Document) -> TeamMembers:
    path = f"{base}/teams" + path_of(team.text("slug"), "members")
    return TeamMembers(
        team=_team(facts.connection, organization, team),
        members=_by_login(facts, await client.everything(path, role="all")),
        maintainers=_by_login(facts, await client.everything(path, role="maintainer")),
    )


def _role(holder: Document) -> Role | None:
    """The strongest of a collaborator's or team's permissions."""
    permissions = holder.document("permissions")
    return next((role for name, role in _STRONGEST_FIRST if permissions.fields.get(name) is True), None)


def _by_default(described: Document, organization: Organization) -> Sequence[Grant]:
    """What every member may do, where the organisation lets us know."""
    said = described.text_or_none("default_repository_permission") or "none"
    if said not in _BY_DEFAULT:
        raise UnexpectedShape(f"{described.where}: expected a known permission, found {said[:40]!r}")
    role = _BY_DEFAULT[said]
    return [Grant(holder=organization, role=role)] if role is not None else []


def _by_login(facts: Facts, accounts: Sequence[Document]) -> tuple[Actor, ...]:
    return tuple(sorted({actor.id: actor for actor in map(facts.account, accounts)}.values(), key=lambda actor: actor.login))


def _organization(connection: str, document: Document) -> Organization:
    id = str(document.number("id"))
    return Organization(id=id, name=document.text("login"), ref=f"organization:{connection}/{id}")


def _team(connection: str, organization: str, document: Document) -> Team:
    id = str(document.number("id"))
    return Team(id=id, name=f"{organization}/{document.text('slug')}", ref=f"team:{connection}/{id}")
