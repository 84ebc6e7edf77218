"""The same plain acts on each forge, so that one exam asks all of them: each stage builds a situation its forge's own way.

A new adapter sits the exam by giving a stage and naming it in `STAGES`. Repositories belong to `acme`; the adapter's own
account is `admit`, with the smallest rights it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from providers.vcs import ChangeKey, Forge, ForgeSetup, Gap, MergeMethod, ReviewState, Role
from providers.vcs.gitea import GiteaForge, GiteaSetup
from tests.contract.vcs.github_stage import GithubStage
from tests.contract.vcs.gitlab_stage import GitLabStage
from tests.contract.vcs.memory_stage import Files, MemoryStage
from tests.servers.gitea import Project, Pull, User, session_gitea

GITEA_SCOPES = ["write:repository", "read:issue", "read:user"]
GITEA_PERMISSIONS = {Role.OWNER: "admin", Role.WRITER: "write", Role.READER: "read"}
GITEA_UNITS = ["repo.code", "repo.issues", "repo.pulls"]


LOOSENED: Mapping[Gap, Mapping[str, Any]] = {
    Gap.STATUS_NOT_REQUIRED: {"status_check_contexts": ["ci/test"]},
    Gap.ADMINS_EXEMPT: {"block_admin_merge_override": False},
    Gap.PUSHES_ALLOWED: {"enable_push": True},
    Gap.FORCE_PUSHES_ALLOWED: {"enable_force_push": True},
    Gap.OTHERS_MAY_MERGE: {"enable_merge_whitelist": False},
    Gap.FILES_UNPROTECTED: {"unprotected_file_patterns": "docs/**"},
}
"""What an administrator does to a branch protection rule of Gitea to open each gap."""


class GiteaStage:
    """Repositories of its own on the session's server, through an account that is a writer with three scopes."""

    has_ghosts = True
    dismisses_with_event = False
    knows_dependencies = True
    keeps_every_review = True
    reviewers_choose_commits = True
    teams_hold_roles = True
    merge_methods = frozenset(MergeMethod)
    gaps = frozenset(Gap)

    def __init__(self) -> None:
        self._gitea = session_gitea()
        self._projects: dict[str, Project] = {}
        self._owners: dict[str, User] = {}
        self._teams: dict[tuple[str, str], int] = {}

    def check(self) -> None:
        """It is a real server."""

    def forge(self) -> Forge:
        return GiteaForge(
            connection="exam", url=self._gitea.url, token=_token_of("admit", *GITEA_SCOPES), webhook_secrets=["exam-secret"], timeout=60
        )

    def forge_of_owner(self) -> Forge:
        """It administers what it asks about, and its token may read organisations."""
        return GiteaForge(connection="exam", url=self._gitea.url, token=_token_of("admit", "read:repository", "read:organization"))

    def administer(self, repository: str) -> None:
        self._projects[repository].collaborator(self._user("admit"), permission="admin")

    def organization(self, *, owner: str) -> str:
        name = self._gitea.fresh_organization(self._user(owner))
        owners = self._gitea.call("GET", f"/orgs/{name}/teams", as_=self._user(owner))[0]["id"]
        self._gitea.call("PUT", f"/teams/{owners}/members/{self._user('admit').login}", as_=self._user(owner))
        self._owners[name] = self._user(owner)
        return name

    def repository_of(self, organization: str) -> str:
        project = self._gitea.fresh_repository(self._owners[organization], organization=organization)
        self._projects[project.full_name] = project
        return project.full_name

    def team(self, organization: str, name: str, *logins: str) -> None:
        owner = self._owners[organization]
        team = {"name": name, "permission": "read", "units": GITEA_UNITS}
        made = self._gitea.call("POST", f"/orgs/{organization}/teams", as_=owner, json=team)
        self._teams[organization, name] = made["id"]
        for login in logins:
            self._gitea.call("PUT", f"/teams/{made['id']}/members/{self._gitea.extra(login)}", as_=owner)

    def leave_team(self, organization: str, name: str, login: str) -> None:
        self._gitea.call("DELETE", f"/teams/{self._teams[organization, name]}/members/{login}", as_=self._owners[organization])

    def grant(self, repository: str, login: str, role: Role | None) -> None:
        project, user = self._projects[repository], self._user(login)
        if role is None:
            project.call("DELETE", f"/collaborators/{user.login}")
        else:
            project.collaborator(user, permission=GITEA_PERMISSIONS[role])

    def grant_team(self, repository: str, team: str, role: Role) -> None:
        organization = repository.partition("/")[0]
        owner, id = self._owners[organization], self._teams[organization, team]
        change = {"name": team, "permission": GITEA_PERMISSIONS[role], "units": GITEA_UNITS}
        self._gitea.call("PATCH", f"/teams/{id}", as_=owner, json=change)
        self._gitea.call("PUT", f"/teams/{id}/repos/{repository}", as_=owner)

    def repository(self, files: Files | None = None) -> str:
        project = self._gitea.fresh_repository(self._user("acme"))
        project.collaborator(self._user("admit"))
        self._projects[project.full_name] = project
        if files:
            project.write(files)
        return project.full_name

    def push(self, repository: str, branch: str, files: Files, *, renames: Mapping[str, str] | None = None, by: str = "acme") -> str:
        return self._projects[repository].write(files, branch=branch, renames=renames, by=self._member(repository, by))

    def push_many(self, repository: str, branch: str, commits: int) -> str:
        return self._projects[repository].push_many(branch, commits)

    def open_change(
        self, repository: str, head: str, *, base: str = "main", by: str = "acme", source: str | None = None, **more: Any
    ) -> ChangeKey:
        branch = f"{source.partition('/')[0]}:{head}" if source else head
        draft = "WIP: " if more.pop("draft", False) else ""
        title = draft + more.pop("title", "A change")
        pull = self._projects[repository].open_pull(branch, base=base, by=self._member(repository, by), title=title, **more)
        return ChangeKey(repository=repository, number=pull.number)

    def review(self, key: ChangeKey, *, by: str, state: ReviewState = ReviewState.APPROVED, commit_sha: str | None = None) -> None:
        events = {ReviewState.APPROVED: "APPROVED", ReviewState.CHANGES_REQUESTED: "REQUEST_CHANGES", ReviewState.COMMENTED: "COMMENT"}
        self._of(key).review(_pull(key), by=self._member(key.repository, by), event=events[state], commit=commit_sha)

    def dismiss(self, key: ChangeKey, *, of: str) -> None:
        project = self._of(key)
        for review in project.call("GET", f"/pulls/{key.number}/reviews"):
            if review["user"]["login"] == of and review["state"] in ("APPROVED", "REQUEST_CHANGES"):
                project.dismiss(_pull(key), review["id"])

    def request_review(self, key: ChangeKey, *, of: str) -> None:
        self._of(key).request_review(_pull(key), self._member(key.repository, of))

    def discuss(self, key: ChangeKey, path: str, *, by: str) -> None:
        comments = [{"path": path, "body": "why?", "new_position": 1}]
        self._of(key).review(_pull(key), by=self._member(key.repository, by), event="COMMENT", comments=comments)

    def label(self, key: ChangeKey, *names: str) -> None:
        self._of(key).label(_pull(key), *names)

    def comment(self, key: ChangeKey, body: str, *, by: str) -> None:
        self._of(key).comment(_pull(key), body, by=self._member(key.repository, by))

    def edit(self, key: ChangeKey, *, title: str | None = None, draft: bool | None = None) -> None:
        known = title if title is not None else self._of(key).pull(_pull(key))["title"].removeprefix("WIP: ")
        self._of(key).edit(_pull(key), title=("WIP: " if draft else "") + known)

    def retarget(self, key: ChangeKey, base: str) -> None:
        self._of(key).edit(_pull(key), base=base)

    def close_change(self, key: ChangeKey) -> None:
        self._of(key).edit(_pull(key), state="closed")

    def reopen_change(self, key: ChangeKey) -> None:
        self._of(key).edit(_pull(key), state="open")

    def merge_outside(self, key: ChangeKey, *, by: str) -> None:
        self.settle(key)
        answer = self._of(key).merge(_pull(key), by=self._member(key.repository, by))
        assert answer.status_code == 200, answer.text

    def depend(self, key: ChangeKey, on: ChangeKey) -> None:
        owner, _, name = on.repository.partition("/")
        other = {"owner": owner, "repo": name, "index": on.number}
        self._of(key).call("POST", f"/issues/{key.number}/dependencies", json=other)

    def fork(self, repository: str, *, by: str) -> str:
        copy = self._projects[repository].fork(self._user(by))
        self._projects[copy.full_name] = copy
        return copy.full_name

    def delete_repository(self, repository: str) -> None:
        self._projects.pop(repository).delete()

    def delete_branch(self, repository: str, branch: str) -> None:
        self._projects[repository].delete_branch(branch)

    def force_push(self, repository: str, branch: str, sha: str) -> None:
        self._projects[repository].force_push(branch, sha)

    def delete_account(self, login: str) -> None:
        self._gitea.delete_account(login)

    def post_status(self, repository: str, sha: str, context: str, state: str, *, by: str) -> None:
        self._projects[repository].status(sha, context, state, by=self._member(repository, by))

    def setup(self) -> ForgeSetup:
        return GiteaSetup(connection="exam", url=self._gitea.url, token=self._user("acme").token, account="admit", timeout=240)

    def loosen(self, repository: str, branch: str, gap: Gap) -> None:
        project = self._projects[repository]
        if gap is Gap.MANUAL_MERGE:
            project.call("PATCH", "", json={"allow_manual_merge": True})
        else:
            project.call("PATCH", f"/branch_protections/{branch}", json=LOOSENED[gap])

    def branch(self, repository: str, branch: str) -> None:
        self._projects[repository].branch(branch)

    def settle(self, key: ChangeKey) -> None:
        self._of(key).wait_mergeable(_pull(key))

    def _of(self, key: ChangeKey) -> Project:
        return self._projects[key.repository]

    def _user(self, login: str) -> User:
        return self._gitea.account(login)

    def _member(self, repository: str, login: str) -> User:
        """The account, made a writer of the repository unless it owns it."""
        user = self._user(login)
        if repository.partition("/")[0] != login:
            self._projects[repository].collaborator(user)
        return user


@functools.cache
def _token_of(login: str, *scopes: str) -> str:
    gitea = session_gitea()
    return gitea.token(gitea.account(login), list(scopes))


def _pull(key: ChangeKey) -> Pull:
    return Pull(number=key.number, url="")


STAGES = {"memory": MemoryStage, "gitea": GiteaStage, "github": GithubStage, "gitlab": GitLabStage}
Stage = MemoryStage | GiteaStage | GithubStage | GitLabStage
