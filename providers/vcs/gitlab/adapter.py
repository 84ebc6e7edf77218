"""GitLab behind the port: https://docs.gitlab.com/api/rest/"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from providers.errors import NotFound, TornFacts, Unreachable
from providers.vcs.addresses import path_below
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab import belonging, deliveries, folders, merging, reading, rights, statuses, trains
from providers.vcs.gitlab.client import GitLabClient, path_of
from providers.vcs.gitlab.facts import Facts
from providers.vcs.membership import Organization, OrganizationMembers, RepositoryMembers
from providers.vcs.model import Actor, Change, Repository
from providers.vcs.names import fits_one_of, is_literal
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
)

_NAME = re.compile(r"(?:(?!\.{1,2}/)[\w.-]+/)+(?!\.{1,2}$)[\w.-]+", re.ASCII)
_PATH = re.compile(r"/((?:[^/]+/)+[^/]+)/-/merge_requests/([1-9][0-9]{0,9})(?:/[a-z0-9/_.-]*)?", re.IGNORECASE)


class GitLabForge:
    """One connection to one GitLab, gitlab.com or self-managed, of any tier.

    url: where people browse it; token: personal, group or project access token with the scope `api`, of an account that
    is a developer of what it judges; timeout: seconds for each request.
    """

    def __init__(self, *, connection: str, url: str, token: str, webhook_secrets: Sequence[str] = (), timeout: float = 15.0) -> None:
        self._connection = connection
        self._url = urlsplit(url.rstrip("/"))
        self._secrets = tuple(webhook_secrets)
        self._client = GitLabClient(url=url, token=token, timeout=timeout)
        self._own: Actor | None = None

    @property
    def connection(self) -> str:
        return self._connection

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Whether a named status can be required, and there are merge trains, depends on the project's licence."""
        return frozenset({Capability.MEMBERSHIP, Capability.MERGE_QUEUE})

    @property
    def code_owners(self) -> CodeOwnersDialect:
        return CodeOwnersDialect.GITLAB

    def parse_delivery(self, headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
        return deliveries.parse_delivery(headers, body, self._secrets)

    def locate(self, url: str) -> ChangeKey | None:
        match = _PATH.fullmatch(path_below(self._url, url) or "")
        if match is None:
            return None
        repository = unquote(match.group(1))
        return ChangeKey(repository=repository, number=int(match.group(2))) if _NAME.fullmatch(repository) else None

    # --- facts ---------------------------------------------------------------------------------

    async def read_change(
        self, key: ChangeKey, *, not_before: ChangeEvent | None = None, leave_out: frozenset[str] = frozenset()
    ) -> Change:
        return await reading.read_change(self._client, self._connection, key, not_before, leave_out)

    async def summary(self, key: ChangeKey) -> ChangeSummary:
        merge_request = await self._client.get(path_of("projects", key.repository, "merge_requests", key.number))
        try:
            return ChangeSummary(
                key=key,
                repository_id=str(merge_request.number("project_id")),
                url=merge_request.text("web_url"),
                title=merge_request.text("title"),
                head_sha=merge_request.text("sha"),
                target_branch=merge_request.text("target_branch"),
                state=Facts.state(merge_request),
                updated_at=merge_request.time("updated_at"),
            )
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def read_folder(self, repository: str, ref: str, path: str) -> Folder:
        return await folders.read_folder(self._client, repository, ref, path)

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        return await folders.read_first(self._client, repository, ref, paths)

    async def open_changes(self, repository: str) -> Sequence[OpenChange]:
        path = path_of("projects", repository, "merge_requests")
        opened = await self._client.everything(path, state="opened", order_by="updated_at", sort="desc")
        try:
            # One without a head proposes nothing yet.
            changes = [_open_change(repository, one) for one in opened if one.text_or_none("sha") is not None]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if len({change.key.number for change in changes}) != len(changes):
            raise TornFacts(f"GET {path}: the list changed while its pages were read")
        return changes

    async def repositories(self, patterns: Sequence[str]) -> Sequence[Repository]:
        """Of what a glob may fit, only projects the account is a member of: gitlab.com shows millions of others."""
        found = await self._repositories(patterns)
        facts = Facts(self._connection)
        try:
            told = [facts.repository(one.number("id"), one.text("path_with_namespace")) for one in found]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        fitting = [repository for repository in told if fits_one_of(repository.name, patterns)]
        return sorted(fitting, key=lambda repository: repository.name.lower())

    async def _repositories(self, patterns: Sequence[str]) -> Sequence[Document]:
        if not all(is_literal(pattern) for pattern in patterns):
            return await self._client.everything("/projects", membership="true", simple="true", order_by="id", sort="asc")
        found = []
        for name in dict.fromkeys(patterns):
            try:
                found.append(await self._client.get(path_of("projects", name)))
            except NotFound:
                continue
        return found

    # --- statuses and merging ------------------------------------------------------------------

    async def report(self, repository: str, sha: str, status: Status) -> None:
        await statuses.report(self._client, repository, sha, status)

    async def reported(self, repository: str, sha: str, context: str) -> ReportedStatus | None:
        own = await self._own_account()
        return await statuses.reported(self._client, repository, sha, context, int(own.id))

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        return await merging.merge(self._client, key, head_sha=head_sha, method=method)

    async def group_members(self, group: MergeGroup) -> Sequence[ChangeKey]:
        return await trains.members(self._client, group)

    # --- people --------------------------------------------------------------------------------

    async def members(self, repository: str) -> RepositoryMembers:
        return await belonging.members(self._client, self._connection, repository)

    async def teams(self, organization: str) -> OrganizationMembers:
        return await belonging.teams(self._client, self._connection, organization)

    async def organization(self, name: str) -> Organization:
        return await belonging.organization(self._client, self._connection, name)

    async def own_login(self) -> str:
        return (await self._own_account()).login

    async def _own_account(self) -> Actor:
        if self._own is None:  # the account behind a token never changes
            try:
                self._own = Facts(self._connection).actor(await self._client.get("/user"))
            except UnexpectedShape as problem:
                raise Unreachable(str(problem)) from problem
        return self._own

    async def missing_rights(self, repository: str) -> Sequence[str]:
        return await rights.missing(self._client, repository)

    async def budget(self) -> Sequence[Allowance]:
        answer = await self._client.request("get", "/user")
        said = [answer.headers.get(f"ratelimit-{name}", "") for name in ("limit", "remaining", "reset")]
        if not all(value.isdecimal() for value in said):
            return ()  # self-managed servers have no limit unless an administrator sets one
        limit, remaining, reset = (int(value) for value in said)
        return [Allowance(name="requests", limit=limit, left=remaining, whole_at=datetime.fromtimestamp(reset, UTC))]

    async def probe(self) -> str:
        try:
            told = await self._client.get("/metadata")
            edition = "Enterprise" if told.fields.get("enterprise") else "Community"
            return f"GitLab {told.text('version')} ({edition}) at {self._url.geturl()} as {await self.own_login()}"
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def close(self) -> None:
        await self._client.close()


def _open_change(repository: str, merge_request: Document) -> OpenChange:
    return OpenChange(
        key=ChangeKey(repository=repository, number=merge_request.number("iid")),
        head_sha=merge_request.text("sha"),
        base_ref=merge_request.text("target_branch"),
        updated_at=merge_request.time("updated_at"),
    )
