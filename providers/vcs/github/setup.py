"""Set a GitHub repository up for the gateway, and audit it.

The gate is a ruleset of our own beside whatever the branch has already: rulesets and classic protection add up, so nothing
others set is touched. Where a GitHub has no rulesets (older servers, private repositories on a free plan) it is the classic
protection. https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.errors import AccessRefused, NotFound, PermanentError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github import app_hook, hooks, layers, protection
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.credentials import Credentials, InstallationAuth, auth_of
from providers.vcs.github.layers import Layer
from providers.vcs.github.reports import Own, own_account
from providers.vcs.github.transport import api_url_of
from providers.vcs.setup import Applied, Finding, Gap


class GithubSetup:
    """credentials: an administrator's token, or an App with the permission `administration: write`.

    account: the gateway's own login; one that ends in `[bot]` is an App's, whose check runs can be insisted on.
    """

    def __init__(
        self,
        *,
        connection: str,
        url: str,
        credentials: Credentials,
        account: str,
        app: Credentials | None = None,
        timeout: float = 10.0,
        api_url: str | None = None,
    ) -> None:
        self._connection = connection
        self._account = account
        api_url = api_url or api_url_of(url)
        self._client = GithubClient(api_url=api_url, auth=auth_of(credentials, api_url=api_url, timeout=timeout), timeout=timeout)
        self._as_app: GithubClient | None = None
        if app is not None and app is not credentials:
            self._as_app = GithubClient(api_url=api_url, auth=auth_of(app, api_url=api_url, timeout=timeout), timeout=timeout)
        elif isinstance(self._client.auth, InstallationAuth):
            self._as_app = self._client
        self._gateway: Own | None = None

    @property
    def connection(self) -> str:
        return self._connection

    async def close(self) -> None:
        await self._client.close()
        if self._as_app is not None and self._as_app is not self._client:
            await self._as_app.close()

    # --- the webhook ----------------------------------------------------------------------------

    async def register_webhook(self, repository: str, url: str, secret: str) -> Applied:
        if not secret:
            raise ValueError("expected a secret for the webhook, found an empty one: nothing it sends could be trusted")
        if self._as_app is not None:
            await self._client.get(path_of("repos", repository))
            return await app_hook.register(self._as_app, url, secret)
        return await hooks.register(self._client, repository, url, secret)

    async def audit_webhook(self, repository: str, url: str) -> Sequence[Finding]:
        if self._as_app is not None:
            await self._client.get(path_of("repos", repository))
            return await app_hook.audit(self._as_app, url)
        return await hooks.audit(self._client, repository, url)

    # --- the branch -----------------------------------------------------------------------------

    async def require(self, repository: str, branch: str, context: str, *, only_gateway_merges: bool = False) -> Applied:
        try:
            gateway = await self._own()
            await self._client.get(path_of("repos", repository, "branches", branch))
            applied = [await self._require(repository, branch, context, gateway, only_gateway_merges)]
            left = {finding.gap for finding in await self.audit(repository, branch, context)}
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if left & {Gap.STATUS_NOT_REQUIRED, Gap.ADMINS_EXEMPT, Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED}:
            raise PermanentError(
                f"'{repository}' does not require '{context}' on '{branch}' although it was told to: {', '.join(sorted(left))}"
            )
        return next((one for one in (Applied.CREATED, Applied.UPDATED) if one in applied), Applied.UNCHANGED)

    async def _require(self, repository: str, branch: str, context: str, gateway: Own, alone: bool) -> Applied:
        try:
            known = await self._own_rulesets(repository)
        except (NotFound, AccessRefused) as problem:
            if isinstance(problem, AccessRefused) and "upgrade" not in str(problem).lower():
                raise
            return await protection.require(self._client, repository, branch, context, gateway, alone=alone)
        before = known.get(layers.gate_name(branch))
        applied = [await self._keep(repository, before, layers.gate(branch, context, gateway, before))]
        if alone:
            before = known.get(layers.merges_name(branch))
            applied.append(await self._keep(repository, before, layers.merges(branch, gateway)))
        if applied[0] is Applied.CREATED:
            return Applied.CREATED
        return Applied.UNCHANGED if set(applied) == {Applied.UNCHANGED} else Applied.UPDATED

    async def _keep(self, repository: str, before: Document | None, wanted: dict[str, Any]) -> Applied:
        path = path_of("repos", repository, "rulesets")
        if before is None:
            await self._client.request("POST", path, json=wanted)
            return Applied.CREATED
        if layers.says(before.fields, wanted):
            return Applied.UNCHANGED
        await self._client.request("PUT", f"{path}/{before.number('id')}", json=wanted)
        return Applied.UPDATED

    async def _own_rulesets(self, repository: str) -> dict[str, Document]:
        path = path_of("repos", repository, "rulesets")
        listed = await self._client.everything(path, includes_parents="false")
        ours = [one for one in listed if one.text("name").startswith(layers.OURS)]
        return {one.text("name"): await self._client.get(f"{path}/{one.number('id')}") for one in ours}

    async def audit(self, repository: str, branch: str, context: str) -> Sequence[Finding]:
        try:
            await self._client.get(path_of("repos", repository, "branches", branch))
            return layers.findings(await self._layers(repository, branch), repository, branch, context, await self._own())
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _layers(self, repository: str, branch: str) -> list[Layer]:
        """Everything in force on the branch, each with who is exempt from it."""
        found = []
        classic = await protection.of(self._client, repository, branch)
        if classic is not None:
            found.append(classic)
        path = path_of("repos", repository)
        try:
            rules = await self._client.everything(f"{path}/rules/branches" + path_of(branch))
        except NotFound:
            return found
        by_ruleset: dict[int, list[Document]] = {}
        for rule in rules:
            by_ruleset.setdefault(rule.number("ruleset_id"), []).append(rule)
        for id, parts in by_ruleset.items():
            found.append(layers.of_ruleset(await self._ruleset(f"{path}/rulesets/{id}", parts[0]), parts))
        return found

    async def _ruleset(self, path: str, rule: Document) -> Document:
        """Whom it exempts; of one that is an organisation's, that may not be ours to see."""
        try:
            return await self._client.get(path)
        except (NotFound, AccessRefused):
            return Document({"name": rule.text_or_none("ruleset_source") or "an organisation's"}, rule.where)

    async def _own(self) -> Own:
        """The gateway as GitHub's rules name it."""
        if self._gateway is None:
            if self._as_app is not None:
                self._gateway = await own_account(self._as_app)
            else:
                account = await self._client.get(path_of("users", self._account))
                self._gateway = Own(login=account.text("login"), account_id=account.number("id"))
        return self._gateway
