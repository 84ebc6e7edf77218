"""Set a GitLab project up for the gateway, and audit it.

GitLab can make a status of a certain name a condition of merging in one way only: as an external status check, which the
licence Ultimate has (https://docs.gitlab.com/user/project/merge_requests/status_checks/). Elsewhere "pipelines must succeed"
looks at whatever pipeline there is, and merges where the gateway has not spoken yet. There the nearest is that nobody but
the gateway may merge (licence Premium), since it merges only what it admitted; without either, nothing is pretended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from providers.errors import AccessRefused, PermanentError, Unreachable, Unsupported
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab import rules
from providers.vcs.gitlab.client import NO_SUCH_ROUTE, GitLabClient, Missing, TokenRefused, path_of
from providers.vcs.setup import Applied, Finding, Gap
from providers.vcs.signatures import STANDARD_PREFIX

EVENTS = ("merge_requests_events", "note_events", "push_events", "pipeline_events")
"""What the gateway has to hear of."""
INSTEAD = (
    "let only the gateway merge (--require BRANCH --only-gateway-merges, licence Premium), "
    "or add a CI job that waits for the gateway's status and require pipelines to succeed, or use licence Ultimate"
)


class GitLabSetup:
    """token: of a maintainer of the project, scope `api`; account: the gateway's own login; gateway_url: where it is served."""

    def __init__(self, *, connection: str, url: str, token: str, account: str, gateway_url: str, timeout: float = 15.0) -> None:
        self._connection = connection
        self._account = account
        self._gateway_url = gateway_url.rstrip("/")
        self._client = GitLabClient(url=url, token=token, timeout=timeout)

    @property
    def connection(self) -> str:
        return self._connection

    async def close(self) -> None:
        await self._client.close()

    # --- the webhook ----------------------------------------------------------------------------

    async def register_webhook(self, repository: str, url: str, secret: str) -> Applied:
        """A secret `whsec_…` becomes the hook's signing token, any other one is sent in clear in X-Gitlab-Token."""
        if not secret:
            raise ValueError("expected a secret for the webhook, found an empty one: nothing it sends could be trusted")
        before = await self._hooks(repository, url)
        kind = "signing_token" if secret.startswith(STANDARD_PREFIX) else "token"
        # GitLab shows no secret, and lets no hook run again that it switched off: a new one takes the old one's place.
        body: dict[str, Any] = {
            "url": url,
            kind: secret,
            "enable_ssl_verification": url.startswith("https:"),
            **dict.fromkeys(EVENTS, True),
        }
        made = await self._client.write("post", path_of("projects", repository, "hooks"), body)
        missing = [name for name in EVENTS if made.fields.get(name) is not True]
        if kind == "signing_token" and made.fields.get("signing_token_present") is not True:
            missing.append("signing_token")
        if missing:
            await self._delete(repository, made)
            raise PermanentError(
                f"{made.where}: this GitLab does not take {', '.join(missing)}", advice="upgrade GitLab, or use another secret"
            )
        for hook in before:
            await self._delete(repository, hook)
        return Applied.UPDATED if before else Applied.CREATED

    async def audit_webhook(self, repository: str, url: str) -> Sequence[Finding]:
        hooks = await self._hooks(repository, url)
        place, again = f"the webhook of '{repository}' to {url}", "run admit connect again"
        if not hooks:
            return [Finding(gap=Gap.HOOK_MISSING, message=f"{place} is missing", advice=again)]
        found = []
        if len(hooks) > 1:
            found.append(Finding(gap=Gap.HOOK_TWICE, message=f"{place} is there {len(hooks)} times", advice=again))
        for hook in hooks:
            status = hook.text_or_none("alert_status") or "executable"
            if status != "executable":
                until = hook.text_or_none("disabled_until")
                message = f"{place} was switched off by GitLab after failures" + (f", until {until}" if until else "")
                found.append(
                    Finding(gap=Gap.HOOK_INACTIVE, message=message, advice=f"see that the gateway is reached from GitLab; {again}")
                )
            missing = [name for name in EVENTS if hook.fields.get(name) is not True]
            if missing:
                message = f"{place} does not send {', '.join(missing)}"
                found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice=again))
            if hook.text_or_none("push_events_branch_filter"):
                message = f"{place} is filtered by branch: '{hook.text('push_events_branch_filter')}'"
                found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice=again))
        return found

    async def _hooks(self, repository: str, url: str) -> list[Document]:
        hooks = await self._client.everything(path_of("projects", repository, "hooks"))
        return [hook for hook in hooks if hook.fields.get("url") == url]

    async def _delete(self, repository: str, hook: Document) -> None:
        path = path_of("projects", repository, "hooks", hook.number("id"))
        await self._client.request("delete", path, expect_json=False)

    # --- the branch -----------------------------------------------------------------------------

    async def require(self, repository: str, branch: str, context: str, *, only_gateway_merges: bool = False) -> Applied:
        """Raises Unsupported where the licence has no external status checks and others than the gateway are to merge too."""
        project = path_of("projects", repository)
        try:
            account = await self._account_id()
            checks = await self._checks(project)
            if checks is None and not only_gateway_merges:
                raise Unsupported(
                    f"this GitLab's licence has no external status checks, so '{context}' cannot be required on '{branch}'", advice=INSTEAD
                )
            applied = [await self._protect(project, branch, account if only_gateway_merges else None)]
            if checks is not None:
                applied += [await self._check(project, branch, context, checks), await self._insist(project)]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        left = {finding.gap for finding in await self.audit(repository, branch, context)}
        if left & {Gap.STATUS_NOT_REQUIRED, Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED}:
            raise PermanentError(
                f"'{repository}' is not as it was told to be for '{context}' on '{branch}': {', '.join(sorted(left))}",
                advice="another rule may be more generous, or the licence may not have it: see admit connect --check",
            )
        if Applied.CREATED in applied[:1]:
            return Applied.CREATED
        return Applied.UNCHANGED if set(applied) == {Applied.UNCHANGED} else Applied.UPDATED

    async def audit(self, repository: str, branch: str, context: str) -> Sequence[Finding]:
        project = path_of("projects", repository)
        try:
            settings = await self._client.get(project)
            in_force = rules.fitting(await self._client.everything(f"{project}/protected_branches"), branch)
            if not in_force:
                message = f"no rule protects branch '{branch}' of '{repository}'"
                return [Finding(gap=Gap.STATUS_NOT_REQUIRED, message=message, advice="run admit connect with --require")]
            account = await self._account_id()
            found = await self._status_findings(project, settings, in_force, branch, context, account)
            return found + rules.findings(in_force, branch, account, self._account)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _status_findings(
        self, project: str, settings: Document, in_force: Sequence[Document], branch: str, context: str, account: int
    ) -> list[Finding]:
        checks = await self._checks(project)
        if checks is None:
            if rules.only_merged_by(in_force, account):
                return []
            message = f"a status of a certain name cannot be required on '{branch}': this GitLab's licence has no external status checks"
            return [Finding(gap=Gap.STATUS_NOT_REQUIRED, message=message, advice=INSTEAD)]
        again = "run admit connect with --require"
        if not any(check.text("name") == context and _covers(check, in_force) for check in checks):
            message = f"no external status check '{context}' watches branch '{branch}'"
            return [Finding(gap=Gap.STATUS_NOT_REQUIRED, message=message, advice=again)]
        if settings.fields.get("only_allow_merge_if_all_status_checks_passed") is not True:
            message = f"merge requests onto '{branch}' may be merged although status checks have not passed"
            return [Finding(gap=Gap.STATUS_NOT_REQUIRED, message=message, advice=again)]
        return []

    async def _protect(self, project: str, branch: str, account: int | None) -> Applied:
        path = f"{project}/protected_branches"
        known = await self._client.everything(path)
        own = next((rule for rule in known if rule.text("name") == branch), None)
        if own is None:
            await self._client.write("post", path, rules.fresh(branch, account))
            return Applied.CREATED
        wanted = rules.changes(own, account)
        if not wanted:
            return Applied.UNCHANGED
        await self._client.write("patch", path + path_of(branch), wanted)
        return Applied.UPDATED

    async def _check(self, project: str, branch: str, context: str, checks: Sequence[Document]) -> Applied:
        rule = await self._client.get(f"{project}/protected_branches" + path_of(branch))
        known = next((check for check in checks if check.text("name") == context), None)
        if known is not None:
            if _covers(known, [rule]):
                return Applied.UNCHANGED
            there = [one.number("id") for one in known.documents("protected_branches")]
            watched = {"protected_branch_ids": [*there, rule.number("id")]}
            await self._client.write("put", f"{project}/external_status_checks/{known.number('id')}", watched)
            return Applied.UPDATED
        # GitLab insists on an address to tell of each change, another one for each check. The gateway hears of changes by its
        # webhook, so this is one where nothing is done.
        address = f"{self._gateway_url}/healthz?status={quote(context, safe='')}"
        body: dict[str, Any] = {"name": context, "external_url": address, "protected_branch_ids": [rule.number("id")]}
        await self._client.write("post", f"{project}/external_status_checks", body)
        return Applied.UPDATED

    async def _insist(self, project: str) -> Applied:
        name = "only_allow_merge_if_all_status_checks_passed"
        if (await self._client.get(project)).fields.get(name) is True:
            return Applied.UNCHANGED
        await self._client.write("put", project, {name: True})
        return Applied.UPDATED

    async def _checks(self, project: str) -> Sequence[Document] | None:
        """The project's external status checks; None where the licence has none."""
        try:
            return await self._client.everything(f"{project}/external_status_checks")
        except TokenRefused:
            # What GitLab answers without the licence, to who is no maintainer, and to a wrong token: hooks tell the first apart.
            await self._client.everything(f"{project}/hooks")
        except Missing as missing:
            if missing.said != NO_SUCH_ROUTE:
                raise
        return None

    async def _account_id(self) -> int:
        found = await self._client.everything("/users", username=self._account)
        if len(found) != 1:
            raise AccessRefused(f"GET /users: no account '{self._account}' is seen with this token", advice="use the token of a maintainer")
        return found[0].number("id")


def _covers(check: Document, in_force: Sequence[Document]) -> bool:
    """Whether it watches the branch: it names one of its rules, or none at all, which means every branch."""
    named = {one.number("id") for one in check.documents("protected_branches")}
    return not named or bool(named & {rule.number("id") for rule in in_force})
