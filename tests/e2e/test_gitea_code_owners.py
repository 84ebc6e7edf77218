"""Code owners on a real Gitea: CODEOWNERS in its dialect, teams as synchronised, the page naming who could approve, replay alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import policies
from tests.e2e.process import GatewayProcess, admit, eventually
from tests.e2e.test_gitea_relations import SECRET, _page_with, team_of_owners
from tests.servers.gitea import session_gitea

CODE_OWNERS = Path(policies.__file__).parent / "starters" / "code-owners"


@pytest.fixture(scope="module")
def gitea():
    return session_gitea()


def test_code_owners_of_two_paths_have_to_approve(gitea, tmp_path):
    """Each of its own rule; a push to CODEOWNERS has the open change judged again; a line that names nobody is told on its page."""
    olga, ben, cleo = gitea.account("olga"), gitea.account("ben"), gitea.account("cleo")
    project = gitea.fresh_repository(olga, organization=gitea.fresh_organization(olga))
    team_of_owners(gitea, project, ben)
    project.collaborator(cleo)
    organization = project.full_name.partition("/")[0]
    project.write({"docs/CODEOWNERS": f"docs/.* @{organization}/core\nsrc/.*\\\\.py @{cleo.login}\nbroken( @{cleo.login}\n"})
    connection = {
        "name": "work",
        "forge": "gitea",
        "url": gitea.url,
        "token": "env:GITEA_TOKEN",
        "webhook_secrets": ["env:HOOK_SECRET"],
        "repositories": [f"{organization}/*"],
    }
    environment = {"GITEA_TOKEN": gitea.admin_token, "HOOK_SECRET": SECRET}
    settings = {"bundles": [str(CODE_OWNERS)], "connections": [connection], "sync_seconds": 1}
    with GatewayProcess(tmp_path, environment=environment, **settings) as gateway:
        eventually(lambda: all(_tuples_of(gateway, user) for user in (ben, cleo)), "the forge's people to be known")
        project.hook(f"{gateway.url}/webhooks/work", secret=SECRET)
        project.write({"docs/a.md": "1\n", "src/a.py": "1\n", "free.txt": "1\n"}, branch="work")
        pull = project.open_pull("work", title="Add work")
        here = {"repository": project.full_name, "number": pull.number}
        denied = gateway.decided("denied", **here)
        assert sorted(violation["message"] for violation in denied["violations"]) == [
            "docs/a.md: 0 of 1 needed approvals by the code owners of docs/.*",
            "src/a.py: 0 of 1 needed approvals by the code owners of src/.*\\.py",
        ]
        told = "docs/CODEOWNERS:3:1: expected a pattern, found one that cannot be read: missing ): ^broken($; it counts as nobody"
        assert [warning["message"] for warning in denied["warnings"]] == [told]
        page = _page_with(gateway, denied["id"], "docs/CODEOWNERS:3:1: expected a pattern")
        assert page is not None
        helpers = [part.partition("<")[0] for part in page.split("Now that is: ")[1:]]
        assert sorted(helpers) == sorted([ben.login, cleo.login])

        project.review(pull, by=ben)
        project.review(pull, by=cleo)
        admitted = gateway.decided("admitted", **here)
        assert f"ben is member of {organization}/core" in gateway.get(f"/decisions/{admitted['id']}").text

        project.write({"docs/CODEOWNERS": f".* @{olga.login}\n"})
        moved = eventually(lambda: _denied_for(gateway, here, ".*"), "the change to be judged by the new owners")
    replayed = admit("replay", denied["id"], admitted["id"], moved["id"], "--output", "json", cwd=tmp_path, environment=environment)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert {one["result"] for one in json.loads(replayed.stdout)} == {"same"}


def _tuples_of(gateway, user):
    return gateway.get("/v1/relations/tuples", params={"user": f"user:work/{user.id}"}).json()["tuples"]


def _denied_for(gateway, here, pattern):
    newest = gateway.decisions(**here)[0]
    wanted = f"needed approvals by the code owners of {pattern}"
    return newest if any(violation["message"].endswith(wanted) for violation in newest["violations"]) else None
