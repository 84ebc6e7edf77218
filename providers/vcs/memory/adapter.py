"""The memory forge behind the port."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from providers.errors import Conflict, NotFound, PermanentError, TornFacts, Unsupported
from providers.vcs.leaving_out import without
from providers.vcs.membership import Organization, OrganizationMembers, RepositoryMembers
from providers.vcs.memory import belonging
from providers.vcs.memory.deliveries import parse_delivery
from providers.vcs.memory.facts import facts
from providers.vcs.memory.git import Tree
from providers.vcs.memory.merging import land
from providers.vcs.memory.people import People
from providers.vcs.memory.state import OWN_LOGIN, StoredChange, StoredRepository, StoredRule, StoredStatus
from providers.vcs.memory.weather import Weather
from providers.vcs.model import ActorKind, Change, ChangeState, Repository
from providers.vcs.names import fits_one_of
from providers.vcs.port import (
    Allowance,
    Capability,
    ChangeEvent,
    ChangeKey,
    ChangeSummary,
    CodeOwnersDialect,
    Folder,
    MergeGroup,
    MergeMethod,
    OpenChange,
    ParsedDelivery,
    ReportedStatus,
    Status,
    StatusState,
)

ROUNDS = 4
"""A reading and at most three new starts."""
MOST_FILES = 1_000
MOST_BYTES = 10 * 1024 * 1024


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryForge(People):
    """A whole forge in this process. `weather` says how it misbehaves; the acts of `People` are how things happen on it.

    url: what its changes' addresses begin with; they look like `http://memory.invalid/owner/name/changes/7`.
    """

    def __init__(
        self,
        *,
        connection: str,
        webhook_secrets: Sequence[str] = (),
        clock: Callable[[], datetime] = _now,
        url: str = "http://memory.invalid",
        code_owners: CodeOwnersDialect = CodeOwnersDialect.GITHUB,
    ) -> None:
        super().__init__(connection=connection, url=url, webhook_secrets=webhook_secrets, clock=clock)
        self.weather = Weather()
        self._code_owners = code_owners
        self.world.account(OWN_LOGIN, kind=ActorKind.BOT)

    @property
    def connection(self) -> str:
        return self.world.connection

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.NAMED_STATUS_REQUIRED, Capability.MEMBERSHIP})

    @property
    def code_owners(self) -> CodeOwnersDialect:
        return self._code_owners

    def parse_delivery(self, headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
        return parse_delivery(headers, body, self._secrets)

    def locate(self, url: str) -> ChangeKey | None:
        match = re.fullmatch(re.escape(self.world.url) + r"/([^/?#]+/[^/?#]+)/changes/([1-9][0-9]{0,9})(?:[/?#].*)?", url)
        return ChangeKey(repository=match.group(1), number=int(match.group(2))) if match else None

    # --- facts ---------------------------------------------------------------------------------

    async def read_change(
        self, key: ChangeKey, *, not_before: ChangeEvent | None = None, leave_out: frozenset[str] = frozenset()
    ) -> Change:
        for _ in range(ROUNDS):
            met = await self.weather.meet("read_change")
            first = self._seen(key, met)
            await asyncio.sleep(0)  # others may act between the two readings, as between two requests
            if "torn" not in met and self._seen(key, met) == first and _reaches(first, not_before):
                return without(first, leave_out)
        raise TornFacts(f"change {key.number} of '{key.repository}' moved while it was read, {ROUNDS} times over")

    def _seen(self, key: ChangeKey, met: frozenset[str]) -> Change:
        before = self.world.change(key).before
        return before if "stale" in met and before is not None else facts(self.world, key)

    async def summary(self, key: ChangeKey) -> ChangeSummary:
        await self.weather.meet("summary")
        repository, change = self.world.repository(key.repository), self.world.change(key)
        return ChangeSummary(
            key=key,
            repository_id=repository.id,
            url=self.world.url_of(repository, change.number),
            title=change.title,
            head_sha=change.head_sha,
            target_branch=change.base_ref,
            state=change.state,
            updated_at=change.updated_at,
        )

    async def read_folder(self, repository: str, ref: str, path: str) -> Folder:
        await self.weather.meet("read_folder")
        sha, tree = self._tree(repository, ref)
        inside = path.strip("/") + "/" if path.strip("/") else ""
        files = {name.removeprefix(inside): content for name, content in tree.items() if name.startswith(inside)}
        size = sum(len(content) for content in files.values())
        if len(files) > MOST_FILES or size > MOST_BYTES:
            raise PermanentError(f"'{path}' has {len(files)} files of {size} bytes; at most {MOST_FILES} and {MOST_BYTES} are read")
        return Folder(commit=sha, files=files)

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        await self.weather.meet("read_first")
        sha, tree = self._tree(repository, ref)
        found = next((path for path in paths if path in tree), None)
        if found is not None and len(tree[found]) > MOST_BYTES:
            raise PermanentError(f"'{found}' has {len(tree[found])} bytes; at most {MOST_BYTES} are read")
        return Folder(commit=sha, files={} if found is None else {found: tree[found]})

    def _tree(self, repository: str, ref: str) -> tuple[str, Tree]:
        """The commit a ref stands for, and its files."""
        sha = self.world.repository(repository).branches.get(ref, ref)
        if sha not in self.world.objects.commits:
            raise NotFound(f"no branch or commit '{ref}' in '{repository}'")
        return sha, self.world.objects.tree(sha)

    async def open_changes(self, repository: str) -> Sequence[OpenChange]:
        await self.weather.meet("open_changes")
        stored = self.world.repository(repository)
        still_open = [change for change in stored.changes.values() if change.state is ChangeState.OPEN]
        return [
            OpenChange(
                key=ChangeKey(repository=stored.name, number=change.number),
                head_sha=change.head_sha,
                base_ref=change.base_ref,
                updated_at=change.updated_at,
            )
            for change in sorted(still_open, key=lambda change: (change.updated_at, change.number), reverse=True)
        ]

    async def repositories(self, patterns: Sequence[str]) -> Sequence[Repository]:
        await self.weather.meet("repositories")
        found = [self.world.value(stored) for stored in self.world.repositories.values() if fits_one_of(stored.name, patterns)]
        return sorted(found, key=lambda repository: repository.name.lower())

    # --- statuses and merging ----------------------------------------------------------------------

    async def report(self, repository: str, sha: str, status: Status) -> None:
        await self.weather.meet("report")
        stored = self.world.repository(repository)
        if sha not in self.world.objects.commits:
            raise NotFound(f"no commit '{sha}' in '{repository}'")
        own = self.account(OWN_LOGIN).login
        posted = StoredStatus(
            context=status.context, state=status.state.value, description=status.description, target_url=status.target_url, by=own
        )
        self._set_status(stored, sha, posted)

    async def reported(self, repository: str, sha: str, context: str) -> ReportedStatus | None:
        await self.weather.meet("reported")
        found = self.world.repository(repository).statuses.get(sha, {}).get(context)
        if found is None:
            return None
        status = Status(context=found.context, state=StatusState(found.state), description=found.description, target_url=found.target_url)
        return ReportedStatus(status=status, by=found.by, ours=found.by == OWN_LOGIN)

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        await self.weather.meet("merge")
        stored, change = self.world.repository(key.repository), self.world.change(key)
        if change.head_sha != head_sha:
            raise Conflict(f"change {key.number}: the head is {change.head_sha[:12]}, not {head_sha[:12]}")
        if change.state is ChangeState.MERGED and change.merged_sha is not None:
            return change.merged_sha
        self._check_may_merge(stored, change)
        with self._act(key, "change.merged", OWN_LOGIN):
            sha = land(self.world, stored, change, self.account(OWN_LOGIN), method)
            if sha is None:
                raise Conflict(f"change {key.number} conflicts with '{change.base_ref}'")
        self._moved(stored, change.base_ref, OWN_LOGIN)
        return sha

    def _check_may_merge(self, stored: StoredRepository, change: StoredChange) -> None:
        if change.state is not ChangeState.OPEN:
            raise PermanentError(f"change {change.number} is closed")
        if change.draft:
            raise PermanentError(f"change {change.number} is a draft")
        statuses = stored.statuses.get(change.head_sha, {})
        rule = stored.rules.get(change.base_ref, StoredRule())
        for context in sorted(rule.contexts):
            if context not in statuses or statuses[context].state != "success":
                raise PermanentError(f"change {change.number}: the required status '{context}' is not successful")

    # --- people -----------------------------------------------------------------------------------

    async def members(self, repository: str) -> RepositoryMembers:
        await self.weather.meet("members")
        return belonging.members(self.world, repository)

    async def teams(self, organization: str) -> OrganizationMembers:
        await self.weather.meet("teams")
        return belonging.teams(self.world, organization)

    async def organization(self, name: str) -> Organization:
        await self.weather.meet("organization")
        return belonging.organization(self.world, name)

    async def own_login(self) -> str:
        await self.weather.meet("own_login")
        return OWN_LOGIN

    async def missing_rights(self, repository: str) -> Sequence[str]:
        await self.weather.meet("missing_rights")
        self.world.repository(repository)
        return []

    async def group_members(self, group: MergeGroup) -> Sequence[ChangeKey]:
        raise Unsupported("a forge in memory has no merge queue")

    async def budget(self) -> Sequence[Allowance]:
        return ()

    async def probe(self) -> str:
        await self.weather.meet("probe")
        return f"a forge in memory with {len(self.world.repositories)} repositories"

    async def close(self) -> None:
        """Nothing is held."""


def _reaches(change: Change, event: ChangeEvent | None) -> bool:
    """Whether these facts are at least as new as the event."""
    if event is None:
        return True
    if event.updated_at is not None:
        return change.updated_at >= event.updated_at
    return event.head_sha is None or event.head_sha in {change.head.sha, *(commit.sha for commit in change.commits)}
