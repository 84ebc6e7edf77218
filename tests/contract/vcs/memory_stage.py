"""The memory forge's stage: it acts on the forge itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.vcs import ChangeKey, Forge, ForgeSetup, Gap, MergeMethod, ReviewState, Role
from providers.vcs.memory import MemoryForge, MemorySetup

Files = Mapping[str, str | bytes | None]


class MemoryStage:
    """A forge of its own for each test; its clock moves a second with each look."""

    has_ghosts = True
    dismisses_with_event = True
    knows_dependencies = True
    keeps_every_review = True
    """Instead of one word of each reviewer."""
    reviewers_choose_commits = True
    teams_hold_roles = True
    """Instead of each of their members by itself."""
    merge_methods = frozenset(MergeMethod)
    """As they are; others wait for a project's settings."""
    gaps = frozenset(Gap)
    """Ways round the gate that this forge has."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._forge = MemoryForge(connection="exam", webhook_secrets=["exam-secret"], clock=self._tick)
        self._count = 0

    def _tick(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def check(self) -> None:
        """Nothing stands between the adapter and its forge."""

    def forge(self) -> Forge:
        return self._forge

    def repository(self, files: Files | None = None) -> str:
        self._count += 1
        return self._forge.create_repository(f"acme/project-{self._count}", files).name

    def push(self, repository: str, branch: str, files: Files, *, renames: Mapping[str, str] | None = None, by: str = "acme") -> str:
        return self._forge.push(repository, branch, files, renames=renames, by=by)

    def push_many(self, repository: str, branch: str, commits: int) -> str:
        return [self._forge.push(repository, branch, {}, message=f"commit {number}") for number in range(commits)][-1]

    def open_change(
        self, repository: str, head: str, *, base: str = "main", by: str = "acme", source: str | None = None, **more: Any
    ) -> ChangeKey:
        return self._forge.open_change(repository, head=head, base=base, by=by, source=source, **more)

    def review(self, key: ChangeKey, *, by: str, state: ReviewState = ReviewState.APPROVED, commit_sha: str | None = None) -> None:
        self._forge.review(key, by=by, state=state, commit_sha=commit_sha)

    def dismiss(self, key: ChangeKey, *, of: str) -> None:
        self._forge.dismiss(key, of=of)

    def request_review(self, key: ChangeKey, *, of: str) -> None:
        self._forge.request_review(key, of=of)

    def discuss(self, key: ChangeKey, path: str, *, by: str) -> None:
        self._forge.discuss(key, path, by=by)

    def label(self, key: ChangeKey, *names: str) -> None:
        self._forge.label(key, *names)

    def comment(self, key: ChangeKey, body: str, *, by: str) -> None:
        self._forge.comment(key, body, by=by)

    def edit(self, key: ChangeKey, *, title: str | None = None, draft: bool | None = None) -> None:
        self._forge.edit(key, title=title, draft=draft)

    def retarget(self, key: ChangeKey, base: str) -> None:
        self._forge.retarget(key, base)

    def close_change(self, key: ChangeKey) -> None:
        self._forge.close_change(key)

    def reopen_change(self, key: ChangeKey) -> None:
        self._forge.reopen_change(key)

    def merge_outside(self, key: ChangeKey, *, by: str) -> None:
        self._forge.merge_outside(key, by=by)

    def depend(self, key: ChangeKey, on: ChangeKey) -> None:
        self._forge.depend(key, on)

    def fork(self, repository: str, *, by: str) -> str:
        return self._forge.fork(repository, by=by).name

    def delete_repository(self, repository: str) -> None:
        self._forge.delete_repository(repository)

    def delete_branch(self, repository: str, branch: str) -> None:
        self._forge.delete_branch(repository, branch)

    def force_push(self, repository: str, branch: str, sha: str) -> None:
        self._forge.force_push(repository, branch, sha)

    def delete_account(self, login: str) -> None:
        self._forge.delete_account(login)

    def post_status(self, repository: str, sha: str, context: str, state: str, *, by: str) -> None:
        self._forge.post_status(repository, sha, context, state, by=by)

    def setup(self) -> ForgeSetup:
        return MemorySetup(self._forge)

    def loosen(self, repository: str, branch: str, gap: Gap) -> None:
        self._forge.loosen(repository, branch, gap)

    def branch(self, repository: str, branch: str) -> None:
        self._forge.push(repository, branch)

    def settle(self, key: ChangeKey) -> None:
        """Nothing here takes its time."""

    def forge_of_owner(self) -> Forge:
        return self._forge

    def administer(self, repository: str) -> None:
        """Everybody may see everything here."""

    def organization(self, *, owner: str) -> str:
        self._count += 1
        return self._forge.create_organization(f"organization-{self._count}", owners=(owner, "admit")).name

    def repository_of(self, organization: str) -> str:
        self._count += 1
        return self._forge.create_repository(f"{organization}/project-{self._count}").name

    def team(self, organization: str, name: str, *logins: str) -> None:
        self._forge.join_team(organization, name, *logins)

    def leave_team(self, organization: str, name: str, login: str) -> None:
        self._forge.leave_team(organization, name, login)

    def grant(self, repository: str, login: str, role: Role | None) -> None:
        self._forge.grant(repository, login, role)

    def grant_team(self, repository: str, team: str, role: Role) -> None:
        self._forge.grant_team(repository, team, role)
