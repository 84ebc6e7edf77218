"""A repository's webhook, as an account connects. GitHub masks a hook's secret, so the one wanted is always written."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.faults import Refused
from providers.vcs.github.rights import EVENTS, NOT_OF_A_REPOSITORY
from providers.vcs.setup import Applied, Finding, Gap

WANTED = tuple(event for event in EVENTS if event not in NOT_OF_A_REPOSITORY)
NOT_EVERYWHERE = frozenset({"merge_group"})
"""What a GitHub Enterprise Server may not know; it then has no merge queue either."""


async def register(client: GithubClient, repository: str, url: str, secret: str) -> Applied:
    """Exactly one active hook to the address, with this secret."""
    path = path_of("repos", repository, "hooks")
    before = await _hooks(client, repository, url)
    body = {"active": True, "events": list(WANTED), "config": {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}}
    try:
        await _write(client, path, before, body)
    except Refused as refused:
        if refused.status != 422 or not any(event in refused.said for event in NOT_EVERYWHERE):
            raise
        await _write(client, path, before, {**body, "events": [event for event in WANTED if event not in NOT_EVERYWHERE]})
    for hook in before[1:]:
        await client.request("DELETE", f"{path}/{hook.number('id')}", expect_json=False)
    return Applied.UPDATED if before else Applied.CREATED


async def audit(client: GithubClient, repository: str, url: str) -> Sequence[Finding]:
    """What is amiss with it."""
    hooks = await _hooks(client, repository, url)
    place, again = f"the webhook of '{repository}' to {url}", "run admit connect again"
    if not hooks:
        return [Finding(gap=Gap.HOOK_MISSING, message=f"{place} is missing", advice=again)]
    found = []
    if len(hooks) > 1:
        found.append(Finding(gap=Gap.HOOK_TWICE, message=f"{place} is there {len(hooks)} times", advice=again))
    for hook in hooks:
        if not hook.flag("active"):
            found.append(Finding(gap=Gap.HOOK_INACTIVE, message=f"{place} is switched off", advice=again))
        events = {str(event) for event in hook.fields.get("events") or []}
        lacking = set() if "*" in events else set(WANTED) - events - NOT_EVERYWHERE
        if lacking:
            message = f"{place} does not send {', '.join(sorted(lacking))}"
            found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice=again))
        if not hook.document("config").text_or_none("secret"):
            found.append(Finding(gap=Gap.HOOK_TOO_NARROW, message=f"{place} has no secret, so nothing it sends is trusted", advice=again))
    return found


async def _write(client: GithubClient, path: str, before: Sequence[Document], body: dict[str, object]) -> None:
    if before:
        await client.request("PATCH", f"{path}/{before[0].number('id')}", json=body)
    else:
        await client.request("POST", path, json={"name": "web", **body})


async def _hooks(client: GithubClient, repository: str, url: str) -> list[Document]:
    hooks = await client.everything(path_of("repos", repository, "hooks"))
    try:
        return [hook for hook in hooks if hook.document("config").text_or_none("url") == url]
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
