"""Owner approval on a real Gitea: who owns is what its organisation and teams say; the page tells who, and why; replay needs nobody."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

import policies
from tests.e2e.process import GatewayProcess, admit, eventually
from tests.servers.gitea import session_gitea
from tests.servers.relay import relay_to

SECRET = "a webhook secret of the tests"
OWNER_APPROVAL = Path(policies.__file__).parent / "starters" / "owner-approval"


@pytest.fixture(scope="module")
def gitea():
    return session_gitea()


def team_of_owners(gitea, project, *users):
    """A team that administers the repository, with these members."""
    organization = project.full_name.partition("/")[0]
    wanted = {"name": "core", "permission": "admin", "units": ["repo.code", "repo.pulls", "repo.issues"]}
    made = gitea.call("POST", f"/orgs/{organization}/teams", as_=project.owner, json=wanted)
    gitea.call("PUT", f"/teams/{made['id']}/repos/{project.full_name}", as_=project.owner)
    for user in users:
        gitea.call("PUT", f"/teams/{made['id']}/members/{user.login}", as_=project.owner)
    return made["id"]


def test_owner_approval_follows_the_forges_teams(gitea, tmp_path):
    """Denied with the names of who could help; admitted by a team's member, with the path; denied when the team lets go of them."""
    olga, ben = gitea.account("olga"), gitea.account("ben")
    project = gitea.fresh_repository(olga, organization=gitea.fresh_organization(olga))
    team = team_of_owners(gitea, project, ben)
    organization = project.full_name.partition("/")[0]
    with relay_to(gitea.url) as relay:
        connection = {
            "name": "work",
            "forge": "gitea",
            "url": relay.url,
            "token": "env:GITEA_TOKEN",
            "webhook_secrets": ["env:HOOK_SECRET"],
            "repositories": [f"{organization}/*"],
        }
        environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
        settings = {"bundles": [str(OWNER_APPROVAL)], "connections": [connection], "sync_seconds": 1}
        with GatewayProcess(tmp_path, environment=environment, **settings) as gateway:
            project.hook(f"{gateway.url}/webhooks/work", secret=SECRET)
            project.write({"work.txt": "one\n"}, branch="work")
            pull = project.open_pull("work", title="Add work")
            here = {"repository": project.full_name, "number": pull.number}
            denied = gateway.decided("denied", **here)
            page = eventually(lambda: _page_with(gateway, denied["id"], "Now that is: "), "the page to name who could help")
            helpers = page.partition("Now that is: ")[2].partition("<")[0]
            assert set(helpers.split(", ")) == {"olga", "ben"}
            assert "Now that is" not in httpx.get(f"{gateway.url}/decisions/{denied['id']}", timeout=300).text

            project.review(pull, by=ben)
            admitted = gateway.decided("admitted", **here)
            page = gateway.get(f"/decisions/{admitted['id']}").text
            assert f"{organization}/core#member is owner of {project.full_name}, and member of {organization}/core counts" in page
            assert f"ben is member of {organization}/core" in page

            gitea.call("DELETE", f"/teams/{team}/members/{ben.login}", as_=olga)
            gateway.decided("denied", **here)
    replayed = admit("replay", denied["id"], admitted["id"], "--output", "json", cwd=tmp_path, environment=environment)
    assert replayed.returncode == 0, replayed.stderr
    assert sorted((one["outcome"], one["result"]) for one in json.loads(replayed.stdout)) == [("admitted", "same"), ("denied", "same")]


def _page_with(gateway, decision, text):
    page = gateway.get(f"/decisions/{decision}").text
    return page if text in page else None
