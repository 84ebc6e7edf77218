"""Who belongs to an organisation, its teams and a repository is told whole, and by accounts that cannot change their id."""

from __future__ import annotations

import pytest

from providers.errors import NotFound
from providers.vcs import Actor, Capability, Forge, Organization, Role, Team
from tests.contract.vcs.stages import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def forge(stage: Stage):
    """As an account that may see who belongs to what."""
    forge = stage.forge_of_owner()
    yield forge
    await forge.close()


async def roles(forge: Forge, repository: str) -> set[tuple[str, Role]]:
    """Each grant by its holder's login or name."""
    told = await forge.members(repository)
    names = [grant.holder.login if isinstance(grant.holder, Actor) else grant.holder.name for grant in told.grants]
    return {(name, grant.role) for name, grant in zip(names, told.grants, strict=True)}


def logins(actors: tuple[Actor, ...]) -> list[str]:
    return [actor.login for actor in actors]


async def test_a_forge_that_can_tell_says_so(forge: Forge) -> None:
    """Others would raise Unsupported."""
    assert Capability.MEMBERSHIP in forge.capabilities


async def test_collaborators_are_told_with_their_roles(stage: Stage, forge: Forge) -> None:
    """Of a repository that belongs to an account: it is its owner."""
    repository = stage.repository()
    for login, role in (("bob", Role.READER), ("carol", Role.WRITER), ("dave", Role.OWNER)):
        stage.grant(repository, login, role)
    stage.administer(repository)

    told = await forge.members(repository)

    assert told.organization is None
    assert told.public
    assert told.repository.name == repository
    assert {one for one in await roles(forge, repository) if one[0] != "admit"} == {
        ("acme", Role.OWNER),
        ("bob", Role.READER),
        ("carol", Role.WRITER),
        ("dave", Role.OWNER),
    }
    assert all(grant.holder.ref == f"user:exam/{grant.holder.id}" for grant in told.grants)


async def test_a_role_that_was_taken_away_is_not_told(stage: Stage, forge: Forge) -> None:
    """Nor does a changed one leave the earlier one behind."""
    repository = stage.repository()
    stage.administer(repository)
    stage.grant(repository, "bob", Role.WRITER)
    stage.grant(repository, "carol", Role.WRITER)
    stage.grant(repository, "bob", None)
    stage.grant(repository, "carol", Role.READER)

    told = {one for one in await roles(forge, repository) if one[0] != "admit"}
    assert told == {("acme", Role.OWNER), ("carol", Role.READER)}


async def test_teams_of_an_organisation_hold_roles_as_teams(stage: Stage, forge: Forge) -> None:
    """They are not taken apart: who is in them is asked for once. (Where a role is each member's own, all are told.)"""
    organization = stage.organization(owner="olga")
    repository = stage.repository_of(organization)
    stage.team(organization, "builders", "bob", "carol")
    stage.team(organization, "readers")
    stage.grant_team(repository, "builders", Role.WRITER)
    stage.grant_team(repository, "readers", Role.READER)
    stage.grant(repository, "dave", Role.WRITER)

    told = await forge.members(repository)

    assert isinstance(told.organization, Organization)
    assert (told.organization.name, told.organization.ref) == (organization, f"organization:exam/{told.organization.id}")
    if not stage.teams_hold_roles:
        people = {("admit", Role.OWNER), ("olga", Role.OWNER), ("bob", Role.WRITER), ("carol", Role.WRITER), ("dave", Role.WRITER)}
        assert await roles(forge, repository) == people
        return
    assert await roles(forge, repository) == {
        (f"{organization}/builders", Role.WRITER),
        (f"{organization}/readers", Role.READER),
        ("dave", Role.WRITER),
    }
    assert {grant.holder.ref for grant in told.grants if isinstance(grant.holder, Team)} == {
        team.team.ref for team in (await forge.teams(organization)).teams
    }


async def test_an_organisation_is_told_with_its_teams(stage: Stage, forge: Forge) -> None:
    """Owners, members and who is in which team, each account the same wherever it stands."""
    organization = stage.organization(owner="olga")
    stage.team(organization, "builders", "bob", "carol")
    stage.team(organization, "readers", "carol")
    stage.team(organization, "empty")

    told = await forge.teams(organization)

    assert await forge.organization(organization) == told.organization
    assert logins(told.owners) == ["admit", "olga"]
    assert logins(told.members) == ["admit", "bob", "carol", "olga"]
    assert {team.team.name: logins(team.members) for team in told.teams} == {
        f"{organization}/builders": ["bob", "carol"],
        f"{organization}/empty": [],
        f"{organization}/readers": ["carol"],
    }
    assert [team.team.name for team in told.teams] == sorted(team.team.name for team in told.teams)
    assert {actor for team in told.teams for actor in team.members} <= set(told.members)
    assert all(team.team.ref == f"team:exam/{team.team.id}" for team in told.teams)


async def test_who_left_a_team_is_not_in_it(stage: Stage, forge: Forge) -> None:
    """And is still in the others."""
    organization = stage.organization(owner="olga")
    stage.team(organization, "builders", "bob", "carol")
    stage.team(organization, "readers", "bob")
    stage.leave_team(organization, "builders", "bob")

    told = await forge.teams(organization)

    assert [logins(team.members) for team in told.teams] == [["carol"], ["bob"]]
    assert "bob" in logins(told.members)


@pytest.mark.parametrize("length", [0, 1, 50, 51, 120])
async def test_all_members_of_a_team(stage: Stage, forge: Forge, length: int) -> None:
    """However many pages they fill."""
    organization = stage.organization(owner="olga")
    everybody = [f"member-{number:03}" for number in range(length)]
    stage.team(organization, "builders", *everybody)

    told = await forge.teams(organization)

    assert [logins(team.members) for team in told.teams] == [everybody]
    assert logins(told.members) == ["admit", *everybody, "olga"]


async def test_what_is_not_there_is_not_found(stage: Stage, forge: Forge) -> None:
    """An account is no organisation."""
    repository = stage.repository()
    with pytest.raises(NotFound):
        await forge.members("acme/nowhere")
    for name in ("nowhere", repository.partition("/")[0]):
        with pytest.raises(NotFound):
            await forge.teams(name)
        with pytest.raises(NotFound):
            await forge.organization(name)
