"""Set a Gitea repository up for the gateway, and audit it: https://docs.gitea.com/usage/protected-branches

Which rule is in force on a branch is asked of Gitea (`effective_branch_protection_name`), since rules are globs with
priorities. A hook's secret can be neither read nor changed in 1.26 (PATCH ignores it), so a hook is replaced instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from providers.errors import AccessRefused, PermanentError, Unreachable, Unsupported
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea import rules
from providers.vcs.gitea.client import GiteaClient, path_of
from providers.vcs.setup import Applied, Finding, Gap

EVENTS = ("pull_request", "status", "push", "delete", "repository")
"""What to subscribe to: `pull_request` stands for all of its kinds."""
SENT = frozenset(  # as a hook lists what it subscribes to
    {
        "pull_request",
        "pull_request_assign",
        "pull_request_label",
        "pull_request_milestone",
        "pull_request_comment",
        "pull_request_review",
        "pull_request_review_request",
        "pull_request_sync",
        "status",
        "push",
        "delete",
    }
)


class GiteaSetup:
    """token: of a repository administrator, scope `write:repository`; account: the gateway's own login."""

    def __init__(
        self, *, connection: str, url: str, token: str, account: str, timeout: float = 10.0, client: httpx.AsyncClient | None = None
    ) -> None:
        self._connection = connection
        self._account = account
        self._client = GiteaClient(url=url, token=token, timeout=timeout, client=client)

    @property
    def connection(self) -> str:
        return self._connection

    async def close(self) -> None:
        await self._client.close()

    # --- the webhook ----------------------------------------------------------------------------

    async def register_webhook(self, repository: str, url: str, secret: str) -> Applied:
        if not secret:
            raise ValueError("expected a secret for the webhook, found an empty one: nothing it sends could be trusted")
        before = await self._hooks(repository, url)
        config = {"url": url, "content_type": "json", "secret": secret}
        body = {"type": "gitea", "config": config, "events": list(EVENTS), "active": True}
        made = await self._write("POST", path_of("repos", repository, "hooks"), body)
        missing = SENT - set(_events(made))
        if missing:
            raise PermanentError(f"{made.where}: this Gitea does not send {', '.join(sorted(missing))}", advice="upgrade Gitea")
        for hook in before:
            await self._client.request("DELETE", path_of("repos", repository, "hooks", hook.number("id")), expect_json=False)
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
            if not hook.flag("active"):
                found.append(Finding(gap=Gap.HOOK_INACTIVE, message=f"{place} is switched off", advice=again))
            missing = SENT - set(_events(hook))
            if missing:
                message = f"{place} does not send {', '.join(sorted(missing))}"
                found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice=again))
            if (hook.text_or_none("branch_filter") or "*") not in ("*", "**"):
                message = f"{place} is filtered by branch: '{hook.text('branch_filter')}'"
                found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice=again))
        return found

    async def _hooks(self, repository: str, url: str) -> list[Document]:
        hooks = await self._client.everything(path_of("repos", repository, "hooks"))
        try:
            return [hook for hook in hooks if hook.document("config").text_or_none("url") == url]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    # --- the branch -----------------------------------------------------------------------------

    async def require(self, repository: str, branch: str, context: str, *, only_gateway_merges: bool = False) -> Applied:
        if rules.is_glob(branch) or rules.is_glob(context):
            raise Unsupported(
                f"Gitea reads '{branch}' and '{context}' as globs, so neither the rule nor the status would be this branch's alone",
                advice="name the branch without * ? [ ] { } and backslash",
            )
        account = self._account if only_gateway_merges else None
        applied = [await self._forbid_manual_merge(repository), await self._require(repository, branch, context, account)]
        left = {finding.gap for finding in await self.audit(repository, branch, context)}
        if left & {Gap.STATUS_NOT_REQUIRED, Gap.ADMINS_EXEMPT, Gap.MANUAL_MERGE, Gap.RULE_SHADOWED}:
            raise PermanentError(
                f"'{repository}' does not require '{context}' on '{branch}' although it was told to: {', '.join(sorted(left))}"
            )
        return next((one for one in (Applied.CREATED, Applied.UPDATED) if one in applied), Applied.UNCHANGED)

    async def _require(self, repository: str, branch: str, context: str, account: str | None) -> Applied:
        in_force = await self._rule_in_force(repository, branch)
        path = path_of("repos", repository, "branch_protections")
        if in_force is None:
            fresh: dict[str, Any] = {"rule_name": branch, "enable_push": False}
            await self._write("POST", path, fresh | rules.required_changes(fresh, context, account))
            return Applied.CREATED
        if in_force.text("rule_name").lower() != branch.lower():
            return await self._split(repository, branch, context, account, in_force)
        changes = rules.required_changes(in_force.fields, context, account)
        if not changes:
            return Applied.UNCHANGED
        await self._write("PATCH", path + path_of(in_force.text("rule_name")), changes)
        return Applied.UPDATED

    async def _split(self, repository: str, branch: str, context: str, account: str | None, broad: Document) -> Applied:
        """A rule of the branch's own that says all the broader one says: that one must not require this branch's status."""
        path = path_of("repos", repository, "branch_protections")
        known = await self._rules(repository)
        if any(rule.text("rule_name").lower() == branch.lower() for rule in known):
            raise PermanentError(
                f"branch '{branch}' of '{repository}' has a rule, but '{broad.text('rule_name')}' comes before it",
                advice=f"order the rules so that '{branch}' comes first, or delete it so that it can be made anew",
            )
        own = rules.copied(broad, branch)
        await self._write("POST", path, own | rules.required_changes(own, context, account))
        # Of rules with one priority, that with a plain name comes first.
        await self._write("PATCH", path + path_of(branch), {"priority": min(rule.number("priority") for rule in known)})
        return Applied.CREATED

    async def _forbid_manual_merge(self, repository: str) -> Applied:
        settings = await self._client.get(path_of("repos", repository))
        wanted = {name: False for name in ("allow_manual_merge", "autodetect_manual_merge") if settings.fields.get(name)}
        if not wanted:
            return Applied.UNCHANGED
        await self._write("PATCH", path_of("repos", repository), wanted)
        return Applied.UPDATED

    async def audit(self, repository: str, branch: str, context: str) -> Sequence[Finding]:
        try:
            in_force = await self._rule_in_force(repository, branch)
            settings = await self._client.get(path_of("repos", repository))
            found = await self._shadowed(repository, branch, context, in_force)
            if in_force is None:
                message = f"no rule protects branch '{branch}' of '{repository}'"
                found.append(Finding(gap=Gap.STATUS_NOT_REQUIRED, message=message, advice="run admit connect with --require"))
            else:
                found.extend(rules.findings(in_force, branch, context, self._account))
            for name, means in (("allow_manual_merge", "be declared merged"), ("autodetect_manual_merge", "be taken for merged")):
                if settings.flag(name):
                    message = f"'{repository}' lets changes {means} by hand"
                    found.append(Finding(gap=Gap.MANUAL_MERGE, message=message, advice=f"switch {name} off in its settings"))
            return found
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _shadowed(self, repository: str, branch: str, context: str, in_force: Document | None) -> list[Finding]:
        """Rules that require the status on this branch, and are not in force."""
        if in_force is None:
            return []
        winner = in_force.text("rule_name")
        losers = [
            rule.text("rule_name")
            for rule in await self._rules(repository)
            if rule.text("rule_name").lower() == branch.lower() != winner.lower()
            and context in (rule.fields.get("status_check_contexts") or [])
        ]
        advice = f"give '{branch}' a lower priority number than '{winner}'"
        return [Finding(gap=Gap.RULE_SHADOWED, message=f"the rule '{winner}' comes before '{name}'", advice=advice) for name in losers]

    async def _rule_in_force(self, repository: str, branch: str) -> Document | None:
        """The one rule Gitea applies to the branch."""
        try:
            seen = await self._client.get(path_of("repos", repository, "branches", branch))
            name = seen.text("effective_branch_protection_name")
            if seen.flag("protected") and not name:
                raise AccessRefused(
                    f"{seen.where}: protected by a rule this account may not see", advice="use a repository administrator's token"
                )
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if not name:
            return None
        return await self._client.get(path_of("repos", repository, "branch_protections", name))

    async def _rules(self, repository: str) -> Sequence[Document]:
        return await self._client.listed(path_of("repos", repository, "branch_protections"))

    async def _write(self, method: str, path: str, body: dict[str, Any]) -> Document:
        answer = await self._client.request(method, path, json=body)
        return Document(answer.value if isinstance(answer.value, dict) else {}, answer.where)


def _events(hook: Document) -> Sequence[str]:
    return [str(event) for event in hook.fields.get("events") or []]
