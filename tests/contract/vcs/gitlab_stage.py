"""GitLab's stage: people act on the forge in memory behind the loopback server, the adapter sees only its API."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import httpx

from providers.vcs import ActorKind, Forge, ForgeSetup, Gap, MergeMethod, Role
from providers.vcs.gitlab import GitLabForge, GitLabSetup
from tests.contract.vcs.memory_stage import Files, MemoryStage
from tests.servers.gitlab import GitLab, running_gitlab

GITLAB_GAPS = frozenset({Gap.STATUS_NOT_REQUIRED, Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED, Gap.OTHERS_MAY_MERGE})
GITLAB_STATES = {"failure": "failed"}


class GitLabStage(MemoryStage):
    """A GitLab of our own over a forge in memory for each test: acts are the memory forge's, what is read comes over HTTP."""

    keeps_every_review = False
    reviewers_choose_commits = False
    teams_hold_roles = False
    merge_methods = frozenset({MergeMethod.MERGE, MergeMethod.SQUASH})
    gaps = GITLAB_GAPS

    def __init__(self) -> None:
        super().__init__()
        self._held = ExitStack()
        self.gitlab: GitLab = self._held.enter_context(running_gitlab(forge=self._forge))
        self._forge.world.accounts["admit"] = replace(self._forge.world.accounts["admit"], kind=ActorKind.USER)

    def check(self) -> None:
        """Every request and every answer is one GitLab's own client knows."""
        self._held.close()
        assert not self.gitlab.violations, sorted(set(self.gitlab.violations))

    def forge(self) -> Forge:
        return GitLabForge(
            connection="exam", url=self.gitlab.url, token=self.gitlab.token("admit"), webhook_secrets=["exam-secret"], timeout=60
        )

    def forge_of_owner(self) -> Forge:
        return self.forge()

    def setup(self) -> ForgeSetup:
        token = self.gitlab.token("acme")
        return GitLabSetup(
            connection="exam", url=self.gitlab.url, token=token, account="admit", gateway_url="http://gate.test", timeout=240
        )

    def repository(self, files: Files | None = None) -> str:
        """A project where the gateway's account is a developer."""
        name = super().repository(files)
        self._forge.grant(name, "admit", Role.WRITER)
        return name

    def fork(self, repository: str, *, by: str) -> str:
        """Of projects, those are listed that the account is a member of."""
        name = super().fork(repository, by=by)
        self._forge.grant(name, "admit", Role.READER)
        return name

    def post_status(self, repository: str, sha: str, context: str, state: str, *, by: str) -> None:
        self._forge.grant(repository, by, Role.WRITER)
        body = {"name": context, "state": GITLAB_STATES.get(state, state), "description": context, "ref": "main"}
        client = httpx.Client(base_url=self.gitlab.url, headers={"PRIVATE-TOKEN": self.gitlab.token(by)}, timeout=240)
        with client:
            path = f"/api/v4/projects/{repository.replace('/', '%2F')}/statuses/{sha}"
            answer = client.post(path, json=body)
        assert answer.status_code == 201, answer.text

    def loosen(self, repository: str, branch: str, gap: Gap) -> None:
        project = self.gitlab.project(self._forge.world.repository(repository))
        [rule] = [rule for rule in project.rules if rule["name"] == branch]
        everybody = [
            {"id": 1, "access_level": 30, "access_level_description": "Developers + Maintainers", "user_id": None, "group_id": None}
        ]
        match gap:
            case Gap.STATUS_NOT_REQUIRED:
                project.settings["only_allow_merge_if_all_status_checks_passed"] = False
            case Gap.PUSHES_ALLOWED:
                rule["push_access_levels"] = everybody
            case Gap.FORCE_PUSHES_ALLOWED:
                rule["allow_force_push"] = True
            case Gap.OTHERS_MAY_MERGE:
                rule["merge_access_levels"] = everybody
            case _:
                raise AssertionError(gap)
