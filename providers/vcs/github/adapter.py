"""GitHub and GitHub Enterprise behind the port: https://docs.github.com/en/rest"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from cachetools import TTLCache

from providers.errors import NotFound, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github import belonging, deliveries, queue, reading, reports, rights
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.credentials import Credentials, InstallationAuth, auth_of
from providers.vcs.github.facts import Facts, stack_of, state_by_rest
from providers.vcs.github.folders import Folders
from providers.vcs.github.merging import Merging
from providers.vcs.github.transport import api_url_of
from providers.vcs.membership import Organization, OrganizationMembers, RepositoryMembers
from providers.vcs.model import Change, Repository
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

_NAME = re.compile(r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_PULL_PATH = re.compile(r"/([^/]+)/([^/]+)/pull/([1-9][0-9]{0,9})(?:/[a-z0-9/.-]*)?", re.IGNORECASE)
NAMES_FOR = 900.0
"""Seconds for which a repository that was asked for by name is taken to be there; each judgement finds out for itself."""


class GithubForge:
    """One connection to one GitHub.

    url: where people browse it. credentials: an access token, or an App with its private key; an App reports check runs,
    an account commit statuses. timeout: seconds for each request. api_url: where the API is, if not where such a GitHub has it.
    """

    def __init__(
        self,
        *,
        connection: str,
        url: str,
        credentials: Credentials,
        webhook_secrets: Sequence[str] = (),
        timeout: float = 10.0,
        api_url: str | None = None,
    ) -> None:
        self._connection = connection
        self._url = urlsplit(url.rstrip("/"))
        self._secrets = tuple(webhook_secrets)
        api_url = api_url or api_url_of(url)
        auth = auth_of(credentials, api_url=api_url, timeout=timeout)
        self._client = GithubClient(api_url=api_url, auth=auth, timeout=timeout)
        self._folders = Folders(self._client)
        self._merging = Merging(self._client)
        self._known: TTLCache[str, Document] = TTLCache(10_000, NAMES_FOR)
        self._own: reports.Own | None = None

    @property
    def connection(self) -> str:
        return self._connection

    @property
    def capabilities(self) -> frozenset[Capability]:
        found = {Capability.NAMED_STATUS_REQUIRED, Capability.MERGE_QUEUE, Capability.MEMBERSHIP}
        return frozenset(found | ({Capability.EXPECTED_SOURCE} if isinstance(self._client.auth, InstallationAuth) else set()))

    @property
    def code_owners(self) -> CodeOwnersDialect:
        return CodeOwnersDialect.GITHUB

    def parse_delivery(self, headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
        return deliveries.parse_delivery(headers, body, self._secrets)

    def locate(self, url: str) -> ChangeKey | None:
        try:
            parts = urlsplit(url)
            if (parts.scheme.lower(), _place(parts.netloc, parts.scheme)) != (self._url.scheme, _place(self._url.netloc, self._url.scheme)):
                return None
        except ValueError:
            return None
        match = _PULL_PATH.fullmatch(parts.path.removeprefix(self._url.path))
        if match is None or not parts.path.startswith(self._url.path):
            return None
        owner, name, number = match.groups()
        repository = f"{unquote(owner)}/{unquote(name)}"
        return ChangeKey(repository=repository, number=int(number)) if _NAME.fullmatch(repository) else None

    # --- facts ------------------------------------------------------------------------------------

    async def read_change(
        self, key: ChangeKey, *, not_before: ChangeEvent | None = None, leave_out: frozenset[str] = frozenset()
    ) -> Change:
        return await reading.read_change(self._client, self._connection, key, not_before, leave_out)

    async def summary(self, key: ChangeKey) -> ChangeSummary:
        pull = await self._client.get(path_of("repos", key.repository, "pulls", key.number))
        try:
            stack = stack_of(pull)
            return ChangeSummary(
                key=key,
                repository_id=str(pull.document("base").document("repo").number("id")),
                url=pull.text("html_url"),
                title=pull.text("title"),
                head_sha=pull.document("head").text("sha"),
                target_branch=stack.base.ref if stack is not None else pull.document("base").text("ref"),
                state=state_by_rest(pull),
                updated_at=pull.time("updated_at"),
            )
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def read_folder(self, repository: str, ref: str, path: str) -> Folder:
        return await self._folders.read(repository, ref, path)

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        return await self._folders.read_first(repository, ref, paths)

    async def open_changes(self, repository: str) -> Sequence[OpenChange]:
        path = path_of("repos", repository, "pulls")
        pulls = await self._client.everything(path, state="open", sort="updated", direction="desc")
        try:
            changes = [_open_change(repository, pull) for pull in pulls]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if len({change.key.number for change in changes}) != len(changes):
            raise TornFacts(f"GET {path}: the list changed while its pages were read")
        return changes

    async def repositories(self, patterns: Sequence[str]) -> Sequence[Repository]:
        found, facts = await self._repositories(patterns), Facts(self._connection)
        try:
            fitting = {r.id: r for r in map(facts.repository, found) if fits_one_of(r.name, patterns)}
            return sorted(fitting.values(), key=lambda repository: repository.name.lower())
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _repositories(self, patterns: Sequence[str]) -> Sequence[Document]:
        """Names are asked for one by one and remembered for a while; only a glob needs the whole list."""
        if not all(is_literal(pattern) for pattern in patterns):
            if isinstance(self._client.auth, InstallationAuth):
                return await self._client.everything("/installation/repositories", key="repositories")
            return await self._client.everything("/user/repos", sort="full_name")
        found = []
        for name in dict.fromkeys(pattern.lower() for pattern in patterns):
            try:
                if name not in self._known:
                    self._known[name] = await self._client.get(path_of("repos", name))
                found.append(self._known[name])
            except NotFound:
                continue
        return found

    async def members(self, repository: str) -> RepositoryMembers:
        return await belonging.members(self._client, self._connection, repository)

    async def teams(self, organization: str) -> OrganizationMembers:
        return await belonging.teams(self._client, self._connection, organization)

    async def organization(self, name: str) -> Organization:
        return await belonging.organization(self._client, self._connection, name)

    # --- acts -------------------------------------------------------------------------------------

    async def report(self, repository: str, sha: str, status: Status) -> None:
        await reports.report(self._client, await self._own_account(), repository, sha, status)

    async def reported(self, repository: str, sha: str, context: str) -> ReportedStatus | None:
        return await reports.reported(self._client, await self._own_account(), repository, sha, context)

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        return await self._merging.merge(key, head_sha=head_sha, method=method)

    async def group_members(self, group: MergeGroup) -> Sequence[ChangeKey]:
        return await queue.members(self._client, group)

    # --- about the connection -----------------------------------------------------------------------

    async def own_login(self) -> str:
        return (await self._own_account()).login

    async def _own_account(self) -> reports.Own:
        if self._own is None:  # the account behind a token, or the App behind a key, never changes
            self._own = await reports.own_account(self._client)
        return self._own

    async def missing_rights(self, repository: str) -> Sequence[str]:
        return await rights.missing(self._client, repository)

    async def budget(self) -> Sequence[Allowance]:
        try:
            resources = (await self._client.get("/rate_limit")).document("resources")
            return [_allowance(name, resources.document(name)) for name in ("core", "graphql") if name in resources.fields]
        except NotFound:
            return ()  # limits are switched off on this GitHub Enterprise Server
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def probe(self) -> str:
        own = await self._own_account()
        described = await self._client.get("/meta")
        version = described.text_or_none("installed_version")
        product = f"GitHub Enterprise Server {version}" if version else "GitHub"
        how = "check runs of the App" if own.app_id is not None else "commit statuses of"
        return f"{product} at {self._url.geturl()}, reporting by {how} {own.login}"

    async def close(self) -> None:
        await self._client.close()


def _open_change(repository: str, pull: Document) -> OpenChange:
    return OpenChange(
        key=ChangeKey(repository=repository, number=pull.number("number")),
        head_sha=pull.document("head").text("sha"),
        base_ref=pull.document("base").text("ref"),
        updated_at=pull.time("updated_at"),
    )


def _allowance(name: str, document: Document) -> Allowance:
    whole_at = datetime.fromtimestamp(document.number("reset"), UTC)
    return Allowance(name=name, limit=document.number("limit"), left=document.number("remaining"), whole_at=whole_at)


def _place(netloc: str, scheme: str) -> str:
    """Host and port, the scheme's own port left out."""
    own = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    return netloc.lower().removesuffix(own) if own else netloc.lower()
