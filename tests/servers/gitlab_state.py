"""What a GitLab of the tests keeps beside the forge in memory, and how it shows all of it. Enter by `tests.servers.gitlab`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from providers.vcs import Actor, ChangeEvent, ChangeKey, ChangeState, FileStatus, ReviewState, Role
from providers.vcs.blobs import name_of
from providers.vcs.memory import MemoryForge
from providers.vcs.memory.facts import facts
from providers.vcs.memory.git import StoredCommit
from providers.vcs.memory.state import StoredChange, StoredRepository
from providers.vcs.model import Change

LEVELS = {Role.OWNER: 50, Role.MAINTAINER: 40, Role.WRITER: 30, Role.TRIAGER: 20, Role.READER: 10}
GHOST_ID = 999_999
STATES = {ChangeState.OPEN: "opened", ChangeState.CLOSED: "closed", ChangeState.MERGED: "merged"}
REVIEWS = {ReviewState.APPROVED: "approved", ReviewState.CHANGES_REQUESTED: "requested_changes", ReviewState.COMMENTED: "reviewed"}
NOTES = {ReviewState.CHANGES_REQUESTED: "requested changes", ReviewState.COMMENTED: "left review comments"}


@dataclass(slots=True)
class Project:
    """What a project has that the forge in memory does not know of. `settings`: fields of `/projects/:id`."""

    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    responses: dict[tuple[int, str, int], str] = field(default_factory=dict)
    pipelines: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    train: list[int] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """Everything on the server. `versions`: heads of each merge request in the order they came."""

    forge: MemoryForge
    projects: dict[str, Project] = field(default_factory=dict)
    versions: dict[ChangeKey, list[tuple[datetime, str]]] = field(default_factory=dict)
    ids: int = 1_000
    checking: dict[ChangeKey, int] = field(default_factory=dict)
    """Merge requests that look for conflicts, for so many more requests."""
    unprepared: set[ChangeKey] = field(default_factory=set)
    overflowing: set[ChangeKey] = field(default_factory=set)

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def notice(self) -> None:
        """Learn of new heads from what the forge in memory tells."""
        for pending in self.forge.outbox():
            event = self.forge.parse_delivery(pending.headers, pending.body).event
            if isinstance(event, ChangeEvent) and event.head_sha is not None and event.updated_at is not None:
                seen = self.versions.setdefault(event.key, [])
                if not seen or seen[-1][1] != event.head_sha:
                    seen.append((event.updated_at, event.head_sha))

    def project(self, repository: StoredRepository) -> Project:
        return self.projects.setdefault(repository.id, Project())

    # --- people ---------------------------------------------------------------------------------

    def user(self, actor: Actor) -> dict[str, Any]:
        shown = self.forge.world.shown(actor)
        ghost = shown.id == "ghost"
        return {
            "id": GHOST_ID if ghost else int(shown.id),
            "username": shown.login,
            "name": shown.login,
            "state": "active",
            "avatar_url": None,
            "web_url": f"http://gitlab.test/{shown.login}",
        }

    def level(self, repository: StoredRepository, login: str) -> int:
        return max((level for actor, level in self.members(repository) if actor.login == login), default=0)

    def members(self, repository: StoredRepository) -> list[tuple[Actor, int]]:
        """Everybody with a level, however they came to it."""
        world = self.forge.world
        owner = repository.name.partition("/")[0]
        found: dict[str, tuple[Actor, int]] = {}

        def give(actor: Actor, level: int) -> None:
            if actor.id not in world.ghosts and level > found.get(actor.id, (actor, 0))[1]:
                found[actor.id] = (actor, level)

        organization = world.organizations.get(owner.lower())
        if organization is None:
            give(world.account(owner), 50)
        else:
            for actor in organization.owners.values():
                give(actor, 50)
            for name, role in repository.team_roles.items():
                for actor in organization.teams[name].members.values():
                    give(actor, LEVELS[role])
        for actor, role in repository.roles.values():
            give(actor, LEVELS[role])
        return sorted(found.values(), key=lambda one: int(one[0].id))

    def member(self, actor: Actor, level: int) -> dict[str, Any]:
        return {**self.user(actor), "access_level": level, "expires_at": None, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}

    # --- projects and what is in them -----------------------------------------------------------

    def project_document(self, repository: StoredRepository, login: str) -> dict[str, Any]:
        space, _, name = repository.name.rpartition("/")
        organization = self.forge.world.organizations.get(space.partition("/")[0].lower())
        level = self.level(repository, login)
        return {
            "id": int(repository.id),
            "name": name,
            "path": name,
            "path_with_namespace": repository.name,
            "default_branch": "main",
            "visibility": "public" if repository.public else "private",
            "web_url": f"http://gitlab.test/{repository.name}",
            "namespace": {
                "id": int(organization.id) if organization else int(self.forge.account(space).id),
                "name": space,
                "path": space.rpartition("/")[2],
                "kind": "group" if organization else "user",
                "full_path": space,
            },
            "permissions": {
                "project_access": {"access_level": level, "notification_level": 3} if level else None,
                "group_access": None,
            },
            "merge_requests_access_level": "enabled",
            "merge_method": "merge",
            "merge_trains_enabled": False,
            "only_allow_merge_if_pipeline_succeeds": False,
            "only_allow_merge_if_all_status_checks_passed": False,
            **self.project(repository).settings,
        }

    def commit(self, stored: StoredCommit) -> dict[str, Any]:
        email = f"{stored.author.login}@memory.invalid"
        return {
            "id": stored.sha,
            "short_id": stored.sha[:8],
            "title": stored.message.partition("\n")[0],
            "message": stored.message,
            "author_name": stored.author.login,
            "author_email": email,
            "authored_date": stored.at,
            "committer_name": stored.author.login,
            "committer_email": email,
            "committed_date": stored.at,
            "created_at": stored.at,
            "parent_ids": list(stored.parents),
        }

    def tree(self, sha: str, inside: str) -> list[dict[str, Any]] | None:
        """Every folder and file below `inside`; None if there is no such folder."""
        content = self.forge.world.objects.tree(sha)
        below = f"{inside}/" if inside else ""
        found: dict[str, dict[str, Any]] = {}
        for path, data in content.items():
            if not path.startswith(below):
                continue
            folders = path.split("/")[:-1]
            for depth in range(1, len(folders) + 1):
                folder = "/".join(folders[:depth])
                if folder.startswith(below) and folder != inside:
                    found[folder] = _entry(folder, "tree", "040000", name_of(folder.encode()))
            found[path] = _entry(path, "blob", "100644", name_of(data))
        return list(found.values()) if found or not inside else None

    def blob(self, sha: str) -> bytes | None:
        commits = self.forge.world.objects.commits.values()
        return next((data for commit in commits for data in commit.tree.values() if name_of(data) == sha), None)

    # --- merge requests -------------------------------------------------------------------------

    def told(self, key: ChangeKey) -> Change:
        return facts(self.forge.world, key)

    def merge_request(self, key: ChangeKey, *, whole: bool) -> dict[str, Any]:
        """As the list shows it, or whole."""
        world = self.forge.world
        repository, change, told = world.repository(key.repository), world.change(key), self.told(key)
        source = world.repositories.get((change.head_repository or "").lower())
        conflicts = change.state is ChangeState.OPEN and told.mergeable is False
        looking = key in self.checking
        shown = {
            "id": int(repository.id) * 100_000 + change.number,
            "iid": change.number,
            "project_id": int(repository.id),
            "title": change.title,
            "description": change.body,
            "state": STATES[change.state],
            "created_at": change.created_at,
            "updated_at": change.updated_at,
            "target_branch": change.base_ref,
            "source_branch": change.head_ref,
            "source_project_id": int(source.id) if source is not None else None,
            "target_project_id": int(repository.id),
            "author": self.user(change.author),
            "reviewers": [self.user(actor) for actor in change.requested],
            "labels": sorted(change.labels),
            "draft": change.draft,
            "sha": change.head_sha,
            "merge_commit_sha": change.merged_sha,
            "squash_commit_sha": None,
            "merge_user": self.user(change.merged_by) if change.merged_by is not None else None,
            "has_conflicts": conflicts,
            "detailed_merge_status": "checking" if looking else self.detailed_status(change, conflicts=conflicts),
            "web_url": f"{getattr(self, 'url', '')}/{repository.name}/-/merge_requests/{change.number}",
            "references": {"short": f"!{change.number}", "relative": f"!{change.number}", "full": f"{repository.name}!{change.number}"},
            "prepared_at": None if key in self.unprepared else change.created_at,
        }
        if not whole:
            return shown
        base, start, head = self.diff_refs(key)
        count = len(told.files)
        return shown | {
            "diff_refs": {"base_sha": base, "start_sha": start, "head_sha": head},
            "changes_count": f"{count}+" if key in self.overflowing else str(count) if count else None,
        }

    def detailed_status(self, change: StoredChange, *, conflicts: bool) -> str:
        if change.state is not ChangeState.OPEN:
            return "not_open"
        return "draft_status" if change.draft else "conflict" if conflicts else "mergeable"

    def diff_refs(self, key: ChangeKey) -> tuple[str, str, str]:
        world = self.forge.world
        change, repository = world.change(key), world.repository(key.repository)
        start = change.landed_on or repository.branches.get(change.base_ref, "") or change.head_sha
        return world.objects.merge_base(start, change.head_sha) or start, start, change.head_sha

    def diffs(self, key: ChangeKey) -> list[dict[str, Any]]:
        base, _, head = self.diff_refs(key)
        before, after = self.forge.world.objects.tree(base), self.forge.world.objects.tree(head)
        return [self._diff(file, before, after) for file in self.told(key).files]

    def _diff(self, file: Any, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, Any]:
        old = file.previous_path or file.path
        return {
            "old_path": old,
            "new_path": file.path,
            "a_mode": "0" if file.status is FileStatus.ADDED else "100644",
            "b_mode": "0" if file.status is FileStatus.REMOVED else "100644",
            "diff": _text_diff(before.get(old, b""), after.get(file.path, b"")),
            "new_file": file.status is FileStatus.ADDED,
            "renamed_file": file.status is FileStatus.RENAMED,
            "deleted_file": file.status is FileStatus.REMOVED,
            "generated_file": False,
            "collapsed": False,
            "too_large": False,
        }

    def commits(self, base: str, head: str) -> list[StoredCommit]:
        """Newest first."""
        return self.forge.world.objects.ahead(base, head)[::-1]

    def words(self, key: ChangeKey) -> dict[str, tuple[Actor, str, datetime]]:
        """The last word of each reviewer, by id: account, state and when. An approval outlasts a later comment."""
        found: dict[str, tuple[Actor, str, datetime]] = {}
        for review in self.forge.world.change(key).reviews:
            state = "unapproved" if review.dismissed else REVIEWS[review.state]
            before = found.get(review.user.id)
            if state == "reviewed" and before is not None and before[1] == "approved":
                continue
            found[review.user.id] = (review.user, state, review.submitted_at or datetime.now(UTC))
        return found

    def discussions(self, key: ChangeKey) -> list[dict[str, Any]]:
        change = self.forge.world.change(key)
        notes = [self._discussion(comment.user, comment.body, comment.created_at) for comment in change.comments]
        for thread in change.threads:
            notes.append(self._discussion(change.author, "why?", change.created_at, path=thread.path, resolved=bool(thread.resolved)))
        for actor, state, at in self.words(key).values():
            said = {"requested_changes": "requested changes", "reviewed": "left review comments"}.get(state)
            if said is not None:
                notes.append(self._discussion(actor, said, at, system=True))
        return [{"id": f"{number:040x}", **discussion} for number, discussion in enumerate(notes, start=1)]

    def _discussion(
        self, by: Actor, body: str, at: datetime, *, path: str | None = None, resolved: bool = False, system: bool = False
    ) -> dict[str, Any]:
        note = {
            "id": self.new_id(),
            "type": "DiffNote" if path else None,
            "body": body,
            "author": self.user(by),
            "created_at": at,
            "updated_at": at,
            "system": system,
            "noteable_type": "MergeRequest",
            "resolvable": path is not None,
            **({"resolved": resolved, "position": {"new_path": path, "old_path": path, "position_type": "text"}} if path else {}),
        }
        return {"individual_note": path is None, "notes": [note]}

    # --- GraphQL --------------------------------------------------------------------------------

    def graphql_change(self, project: str, number: int) -> ChangeKey | None:
        repository = self.forge.world.repositories.get(project.lower())
        return ChangeKey(repository=repository.name, number=number) if repository is not None and number in repository.changes else None

    def graphql_commits(self, key: ChangeKey, after: str | None) -> dict[str, Any]:
        base, _, head = self.diff_refs(key)
        listed = self.commits(base, head)
        start = int(after or 0)
        some = listed[start : start + 100]
        nodes = [
            {
                "sha": commit.sha,
                "author": {"id": f"gid://gitlab/User/{commit.author.id}", "username": commit.author.login},
                "signature": {"verificationStatus": "VERIFIED"} if commit.verified else None,
            }
            for commit in some
        ]
        more = len(listed) > start + 100
        page = {"hasNextPage": more, "endCursor": str(start + len(some)) if some else None}
        return {"diffHeadSha": head, "commits": {"pageInfo": page, "nodes": nodes}}


def _entry(path: str, kind: str, mode: str, id: str) -> dict[str, Any]:
    return {"id": id, "name": path.rpartition("/")[2], "type": kind, "path": path, "mode": mode}


def _text_diff(before: bytes, after: bytes) -> str:
    """As GitLab gives it: without the two lines that name the files."""
    if b"\0" in before or b"\0" in after:
        return "Binary files differ\n"
    lines = difflib.unified_diff(before.decode().splitlines(), after.decode().splitlines(), lineterm="")
    return "\n".join(list(lines)[2:])
