"""Gitea and Forgejo behind the port: https://docs.gitea.com/api/1.26/"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

import httpx

from providers.errors import NotFound, TornFacts, Unreachable, Unsupported
from providers.vcs.addresses import path_below
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea import belonging, deliveries, folders, merging, reading, rights
from providers.vcs.gitea.client import GiteaClient, path_of
from providers.vcs.gitea.facts import Facts
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
    StatusState,
)

_NAME = re.compile(r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_PULL_PATH = re.compile(r"/([^/]+)/([^/]+)/pulls/([1-9][0-9]{0,9})(?:/[a-z0-9/.-]*)?", re.IGNORECASE)


class GiteaForge:
    """One connection to one Gitea or Forgejo.

    url: where people browse it; token: scopes `write:repository` and `read:issue`, and `read:user` to know its own
    statuses from others'; timeout: seconds for each request; client: for tests that stand in front of the server.
    """

    def __init__(
        self,
        *,
        connection: str,
        url: str,
        token: str,
        webhook_secrets: Sequence[str] = (),
        timeout: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._connection = connection
        self._url = urlsplit(url.rstrip("/"))
        self._secrets = tuple(webhook_secrets)
        self._client = GiteaClient(url=url, token=token, timeout=timeout, client=client)
        self._own: Actor | None = None

    @property
    def connection(self) -> str:
        return self._connection

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.NAMED_STATUS_REQUIRED, Capability.MEMBERSHIP})

    @property
    def code_owners(self) -> CodeOwnersDialect:
        return CodeOwnersDialect.GITEA

    def parse_delivery(self, headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
        return deliveries.parse_delivery(headers, body, self._secrets)

    def locate(self, url: str) -> ChangeKey | None:
        match = _PULL_PATH.fullmatch(path_below(self._url, url) or "")
        if match is None:
            return None
        owner, name, number = match.groups()
        repository = f"{unquote(owner)}/{unquote(name)}"
        return ChangeKey(repository=repository, number=int(number)) if _NAME.fullmatch(repository) else None

    async def read_change(
        self, key: ChangeKey, *, not_before: ChangeEvent | None = None, leave_out: frozenset[str] = frozenset()
    ) -> Change:
        return await reading.read_change(self._client, self._connection, key, not_before, leave_out)

    async def summary(self, key: ChangeKey) -> ChangeSummary:
        pull = await self._client.get(path_of("repos", key.repository, "pulls", key.number))
        try:
            return ChangeSummary(
                key=key,
                repository_id=str(pull.document("base").number("repo_id")),
                url=pull.text("html_url"),
                title=pull.text("title"),
                head_sha=pull.document("head").text("sha"),
                target_branch=pull.document("base").text("ref"),
                state=Facts(self._connection).state(pull),
                updated_at=pull.time("updated_at"),
            )
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def read_folder(self, repository: str, ref: str, path: str) -> Folder:
        return await folders.read_folder(self._client, repository, ref, path)

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        return await folders.read_first(self._client, repository, ref, paths)

    async def open_changes(self, repository: str) -> Sequence[OpenChange]:
        path = path_of("repos", repository, "pulls")
        pulls = await self._client.everything(path, state="open", sort="recentupdate")
        try:
            changes = [_open_change(repository, pull) for pull in pulls]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if len({change.key.number for change in changes}) != len(changes):
            raise TornFacts(f"GET {path}: the list changed while its pages were read")
        return changes

    async def repositories(self, patterns: Sequence[str]) -> Sequence[Repository]:
        found = await self._repositories(patterns)
        facts = Facts(self._connection)
        try:
            fitting = (facts.repository(document) for document in found)
            return sorted((r for r in fitting if fits_one_of(r.name, patterns)), key=lambda repository: repository.name.lower())
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _repositories(self, patterns: Sequence[str]) -> Sequence[Document]:
        """Names are asked for one by one; only a glob needs the whole list."""
        if not all(is_literal(pattern) for pattern in patterns):
            return await self._client.everything("/repos/search", key="data", sort="id")
        found = []
        for name in dict.fromkeys(patterns):
            try:
                found.append(await self._client.get(path_of("repos", name)))
            except NotFound:
                continue
        return found

    async def report(self, repository: str, sha: str, status: Status) -> None:
        body = {
            "context": status.context,
            "state": status.state.value,
            "description": status.description,
            "target_url": status.target_url,
        }
        try:
            await self._client.request("POST", path_of("repos", repository, "statuses", sha), json=body)
        except Unreachable:
            # An unknown commit is answered with an empty 500: ask, so that it is not tried again for a day.
            await self._client.get(path_of("repos", repository, "git", "commits", sha), files="false", stat="false", verification="false")
            raise

    async def reported(self, repository: str, sha: str, context: str) -> ReportedStatus | None:
        statuses = await self._client.everything(path_of("repos", repository, "commits", sha, "status"), key="statuses")
        try:
            newest = next((status for status in statuses if status.text("context") == context), None)
            return None if newest is None else await self._reported(newest)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _reported(self, document: Document) -> ReportedStatus:
        said = document.text("status")
        # `warning` and `skipped` are never ours; they are shown as what Gitea makes of them.
        state = {"warning": StatusState.FAILURE, "skipped": StatusState.SUCCESS}.get(said) or StatusState(said)
        creator = document.document_or_none("creator")
        return ReportedStatus(
            status=Status(
                context=document.text("context"),
                state=state,
                description=document.text("description"),
                target_url=document.text("target_url"),
            ),
            by=creator.text("login") if creator is not None else None,
            ours=creator is not None and Facts(self._connection).actor(creator) == await self._own_account(),
        )

    async def _own_account(self) -> Actor:
        if self._own is None:  # the account behind a token never changes
            try:
                self._own = Facts(self._connection).actor(await self._client.get("/user"))
            except UnexpectedShape as problem:
                raise Unreachable(str(problem)) from problem
        return self._own

    async def members(self, repository: str) -> RepositoryMembers:
        return await belonging.members(self._client, self._connection, repository)

    async def teams(self, organization: str) -> OrganizationMembers:
        return await belonging.teams(self._client, self._connection, organization)

    async def organization(self, name: str) -> Organization:
        return await belonging.organization(self._client, self._connection, name)

    async def missing_rights(self, repository: str) -> Sequence[str]:
        return await rights.missing(self._client, repository)

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        return await merging.merge(self._client, key, head_sha=head_sha, method=method)

    async def own_login(self) -> str:
        return (await self._own_account()).login

    async def group_members(self, group: MergeGroup) -> Sequence[ChangeKey]:
        raise Unsupported("Gitea has no merge queue")

    async def budget(self) -> Sequence[Allowance]:
        return ()

    async def probe(self) -> str:
        try:
            version = (await self._client.get("/version")).text("version")
            return f"Gitea {version} at {self._url.geturl()} as {(await self._own_account()).login}"
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def close(self) -> None:
        await self._client.close()


def _open_change(repository: str, pull: Document) -> OpenChange:
    return OpenChange(
        key=ChangeKey(repository=repository, number=pull.number("number")),
        head_sha=pull.document("head").text("sha"),
        base_ref=pull.document("base").text("ref"),
        updated_at=pull.time("updated_at"),
    )
