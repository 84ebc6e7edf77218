"""What only Gitea has to say of who belongs to what: by unit, to outsiders, and while it moves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import pytest

from providers.errors import AccessRefused, TemporaryError
from providers.vcs import Role, Team
from providers.vcs.gitea import GiteaForge
from tests.servers.faulty_proxy import Fault, FaultyProxy, Request, faulty_proxy
from tests.servers.gitea import Gitea, Project, session_gitea

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def gitea() -> Gitea:
    return session_gitea()


@pytest.fixture(scope="module")
def project(gitea: Gitea) -> Project:
    """Of an organisation with an owner, a collaborator and a team of 51."""
    owner = gitea.account("olga")
    name = gitea.fresh_organization(owner)
    project = gitea.fresh_repository(owner, organization=name)
    project.collaborator(gitea.account("bob"), permission="read")
    make_team(gitea, project, "many", {"repo.code": "write"}, *(f"one-of-{number}" for number in range(51)))
    return project


@pytest.fixture
async def proxy(gitea: Gitea) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(gitea.url) as proxy:
        yield proxy


def make_team(gitea: Gitea, project: Project, name: str, units: Mapping[str, str], *logins: str) -> None:
    team = {"name": name, "units_map": units}
    made = gitea.call("POST", f"/orgs/{organization(project)}/teams", as_=project.owner, json=team)
    gitea.call("PUT", f"/teams/{made['id']}/repos/{project.full_name}", as_=project.owner)
    for login in logins:
        gitea.call("PUT", f"/teams/{made['id']}/members/{gitea.extra(login)}", as_=project.owner)


def organization(project: Project) -> str:
    return project.full_name.partition("/")[0]


def a_forge(url: str, token: str, timeout: float = 60) -> GiteaForge:
    return GiteaForge(connection="exam", url=url, token=token, timeout=timeout)


async def test_a_team_counts_by_what_it_may_do_with_the_code(gitea: Gitea) -> None:
    """Who may only work on changes and issues is a triager; who may do nothing has no role."""
    owner = gitea.account("olga")
    project = gitea.fresh_repository(owner, organization=gitea.fresh_organization(owner))
    for name, units in {
        "coders": {"repo.code": "write", "repo.pulls": "read"},
        "readers": {"repo.code": "read", "repo.pulls": "read"},
        "triagers": {"repo.code": "read", "repo.issues": "write"},
        "sorters": {"repo.pulls": "write"},
        "writers-of-wiki": {"repo.wiki": "write"},
    }.items():
        make_team(gitea, project, name, units)
    forge = a_forge(gitea.url, owner.token)

    told = await forge.members(project.full_name)
    await forge.close()

    roles = {grant.holder.name.partition("/")[2]: grant.role for grant in told.grants if isinstance(grant.holder, Team)}
    assert roles == {"coders": Role.WRITER, "readers": Role.READER, "triagers": Role.TRIAGER, "sorters": Role.TRIAGER}


async def test_an_outsider_is_refused_rather_than_told_a_part(gitea: Gitea, project: Project) -> None:
    """To who is no member Gitea lists no members, as if there were none."""
    forge = a_forge(gitea.url, gitea.account("mallory").token)
    with pytest.raises(AccessRefused):
        await forge.teams(organization(project))
    with pytest.raises(AccessRefused):
        await forge.members(project.full_name)
    await forge.close()


async def test_a_member_who_owns_nothing_is_told_what_is_lacking(gitea: Gitea, project: Project) -> None:
    """The members of other teams are hidden from it."""
    forge = a_forge(gitea.url, gitea.account("one-of-1").token)
    with pytest.raises(AccessRefused) as refused:
        await forge.teams(organization(project))
    await forge.close()

    assert "owner of the organisation" in (refused.value.advice or "")


ORGANIZATION = ["/orgs/O", "/orgs/O/teams", "/teams/T/members 1", "/teams/T/members 2", "/orgs/O/members 1", "/orgs/O/members 2"]
REPOSITORY = ["/repos/R", "/repos/R/teams", "/repos/R/collaborators 1", "/repos/R/collaborators/bob/permission"]
FAULTS = [Fault.SERVER_ERROR, Fault.TOO_MANY, Fault.HTML, Fault.CUT_JSON, Fault.EMPTY_OBJECT, Fault.SILENCE]


def place(request: Request) -> str:
    """A request's name in the lists above."""
    path, _, query = request.target.removeprefix("/api/v1").partition("?")
    for pattern, name in ((r"^/orgs/[^/]+", "/orgs/O"), (r"^/teams/\d+", "/teams/T"), (r"^/repos/[^/]+/[^/]+", "/repos/R")):
        path = re.sub(pattern, name, path)
    page = re.search(r"(?:^|&)page=(\d+)", query)
    return f"{path} {page.group(1)}" if page and not path.endswith("/teams") else path


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_makes_a_smaller_organisation(gitea: Gitea, project: Project, proxy: FaultyProxy, fault: Fault) -> None:
    """Whichever request is spoiled, nobody is left out; trying again helps."""
    forge = a_forge(proxy.url, project.owner.token, timeout=0.7 if fault is Fault.SILENCE else 60)
    for spoiled in (*ORGANIZATION, *REPOSITORY):
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(TemporaryError):
            await (forge.teams(organization(project)) if spoiled in ORGANIZATION else forge.members(project.full_name))
    await forge.close()


async def test_the_lists_name_every_request(gitea: Gitea, project: Project, proxy: FaultyProxy) -> None:
    """And unspoiled they tell everybody."""
    forge = a_forge(proxy.url, project.owner.token)
    told = await forge.teams(organization(project))
    of_organization = {place(request) for request in proxy.requests}
    proxy.requests.clear()
    roles = await forge.members(project.full_name)
    await forge.close()

    assert (of_organization, {place(request) for request in proxy.requests}) == (set(ORGANIZATION), set(REPOSITORY))
    assert (len(told.members), [len(team.members) for team in told.teams], len(roles.grants)) == (52, [51], 2)
