"""Set a repository of the memory forge up for the gateway, and audit it."""

from __future__ import annotations

from collections.abc import Sequence

from providers.vcs.memory.adapter import MemoryForge
from providers.vcs.memory.state import StoredHook, StoredRule
from providers.vcs.setup import Applied, Finding, Gap

CLOSED_BY_REQUIRE = frozenset({Gap.ADMINS_EXEMPT, Gap.PUSHES_ALLOWED, Gap.FORCE_PUSHES_ALLOWED, Gap.MANUAL_MERGE})


class MemorySetup:
    """The second port on a forge in memory. `MemoryForge.loosen` makes the gaps it finds."""

    def __init__(self, forge: MemoryForge) -> None:
        self._forge = forge

    @property
    def connection(self) -> str:
        return self._forge.connection

    async def register_webhook(self, repository: str, url: str, secret: str) -> Applied:
        await self._forge.weather.meet("register_webhook")
        if not secret:
            raise ValueError("expected a secret for the webhook, found an empty one: nothing it sends could be trusted")
        hooks = self._forge.world.repository(repository).hooks
        known = url in hooks
        unchanged = known and hooks[url] == StoredHook(secret=secret)
        hooks[url] = StoredHook(secret=secret)
        return Applied.UNCHANGED if unchanged else Applied.UPDATED if known else Applied.CREATED

    async def audit_webhook(self, repository: str, url: str) -> Sequence[Finding]:
        await self._forge.weather.meet("audit_webhook")
        hook = self._forge.world.repository(repository).hooks.get(url)
        if hook is None:
            return [_finding(Gap.HOOK_MISSING, f"the webhook of '{repository}' to {url} is missing")]
        return [] if hook.active else [_finding(Gap.HOOK_INACTIVE, f"the webhook of '{repository}' to {url} is switched off")]

    async def require(self, repository: str, branch: str, context: str, *, only_gateway_merges: bool = False) -> Applied:
        await self._forge.weather.meet("require")
        stored = self._forge.world.repository(repository)
        before = stored.rules.get(branch)
        rule = before or StoredRule()
        gaps = rule.gaps - CLOSED_BY_REQUIRE - ({Gap.OTHERS_MAY_MERGE} if only_gateway_merges else set())
        after = StoredRule(contexts=rule.contexts | {context}, gaps=frozenset(gaps))
        stored.rules[branch] = after
        return Applied.CREATED if before is None else Applied.UNCHANGED if after == before else Applied.UPDATED

    async def audit(self, repository: str, branch: str, context: str) -> Sequence[Finding]:
        await self._forge.weather.meet("audit")
        rule = self._forge.world.repository(repository).rules.get(branch)
        if rule is None:
            return [_finding(Gap.STATUS_NOT_REQUIRED, f"no rule protects branch '{branch}' of '{repository}'")]
        found = [] if context in rule.contexts else [_finding(Gap.STATUS_NOT_REQUIRED, f"branch '{branch}' does not require '{context}'")]
        return found + [_finding(gap, f"branch '{branch}' of '{repository}': {gap.value.replace('_', ' ')}") for gap in sorted(rule.gaps)]

    async def close(self) -> None:
        """Nothing is held."""


def _finding(gap: Gap, message: str) -> Finding:
    return Finding(gap=gap, message=message, advice="run admit connect with --require")
