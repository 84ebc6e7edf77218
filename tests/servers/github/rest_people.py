"""Who belongs to what: collaborators, organisations and teams."""

from __future__ import annotations

from typing import Any

from providers.vcs.membership import Role
from tests.servers.github import documents
from tests.servers.github.rest import Asked, Said, gone, serves, stored
from tests.servers.github.state import GithubState

Json = Any


@serves("GET", "/repos/{owner}/{repo}/collaborators")
def collaborators(state: GithubState, asked: Asked) -> Said:
    repository, world = stored(state, asked), state.forge.world
    found = {actor.id: (actor, role) for actor, role in repository.roles.values() if actor.id not in world.ghosts}
    owner = repository.name.partition("/")[0]
    if owner.lower() not in world.organizations:
        account = world.account(owner)
        found[account.id] = (account, Role.OWNER)
    return Said(items=[{**documents.user(a), "permissions": documents.permissions(r), "role_name": "x"} for a, r in found.values()])


def _team(state: GithubState, team: Any, role: Role | None = None) -> Json:
    described = {"id": int(team.id), "name": team.name, "slug": team.name, "permission": "pull", "parent": None}
    return {**described, **({"permissions": documents.permissions(role)} if role is not None else {})}


@serves("GET", "/repos/{owner}/{repo}/teams")
def repository_teams(state: GithubState, asked: Asked) -> Said:
    repository = stored(state, asked)
    organization = state.forge.world.organization(repository.name.partition("/")[0])
    return Said(items=[_team(state, organization.teams[name], role) for name, role in repository.team_roles.items()])


@serves("GET", "/orgs/{org}")
def organization(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.organization(asked.path["org"])
    return Said(body={"id": int(found.id), "login": found.name, "type": "Organization", "default_repository_permission": "none"})


@serves("GET", "/orgs/{org}/members")
def organization_members(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.organization(asked.path["org"])
    chosen = found.owners if asked.query.get("role") == "admin" else found.members
    return Said(items=[documents.user(actor) for actor in chosen.values()])


@serves("GET", "/orgs/{org}/teams")
def organization_teams(state: GithubState, asked: Asked) -> Said:
    return Said(items=[_team(state, team) for team in state.forge.world.organization(asked.path["org"]).teams.values()])


@serves("GET", "/orgs/{org}/teams/{team_slug}/members")
def team_members(state: GithubState, asked: Asked) -> Said:
    team = state.forge.world.organization(asked.path["org"]).teams.get(asked.path["team_slug"])
    if team is None:
        return gone()
    chosen = team.maintainers if asked.query.get("role") == "maintainer" else team.members
    return Said(items=[documents.user(actor) for actor in chosen.values()])
