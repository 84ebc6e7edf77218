"""GitHub's stage: people act on the forge in memory behind the loopback server, the adapter sees only its API."""

from __future__ import annotations

import itertools

from providers.vcs import ChangeKey, Forge, ForgeSetup, Gap
from providers.vcs.github import AccessToken, GithubForge, GithubSetup
from tests.contract.vcs.memory_stage import Files, MemoryStage
from tests.servers.github import session_github

_NUMBERS = itertools.count(1)


class GithubStage(MemoryStage):
    """Repositories of its own on the session's server, through an account that is a writer with a token."""

    knows_dependencies = False
    gaps = frozenset({Gap.STATUS_NOT_REQUIRED, Gap.ADMINS_EXEMPT, Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED, Gap.OTHERS_MAY_MERGE})

    def __init__(self) -> None:
        self._github = session_github()
        self._forge = self._github.forge
        self._github.violations.clear()

    def check(self) -> None:
        """Every request and every answer fitted GitHub's own description."""
        assert not self._github.violations, "\n".join(self._github.violations[:5])

    def forge(self) -> Forge:
        return self._connected("admit")

    def forge_of_owner(self) -> Forge:
        return self._connected("admit")

    def _connected(self, login: str) -> Forge:
        token = AccessToken(token=self._github.token(login))
        return GithubForge(connection="exam", url=self._github.url, credentials=token, webhook_secrets=["exam-secret"], timeout=240)

    def setup(self) -> ForgeSetup:
        token = AccessToken(token=self._github.token("acme"))
        return GithubSetup(connection="exam", url=self._github.url, credentials=token, account="admit", timeout=240)

    def repository(self, files: Files | None = None) -> str:
        return self._forge.create_repository(f"acme/project-{next(_NUMBERS)}", files).name

    def organization(self, *, owner: str) -> str:
        return self._forge.create_organization(f"organization-{next(_NUMBERS)}", owners=(owner, "admit")).name

    def repository_of(self, organization: str) -> str:
        return self._forge.create_repository(f"{organization}/project-{next(_NUMBERS)}").name

    def depend(self, key: ChangeKey, on: ChangeKey) -> None:
        """GitHub knows dependencies of issues only."""

    def loosen(self, repository: str, branch: str, gap: Gap) -> None:
        """What an administrator does to a ruleset to open each gap."""
        rulesets = self._github.state.of(repository).rulesets
        gate = next(one for one in rulesets if any(rule["type"] == "required_status_checks" for rule in one["rules"]))
        removed = {Gap.STATUS_NOT_REQUIRED: "required_status_checks", Gap.PUSHES_ALLOWED: "pull_request"}
        match gap:
            case Gap.ADMINS_EXEMPT:
                gate["bypass_actors"] = [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
            case Gap.OTHERS_MAY_MERGE:
                rulesets[:] = [gate]
            case _:
                gone = removed.get(gap, "non_fast_forward")
                gate["rules"] = [rule for rule in gate["rules"] if rule["type"] != gone]
