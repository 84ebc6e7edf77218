"""An App's one webhook, for every repository it is installed on. Its address and secret can be set; its events only by people."""

from __future__ import annotations

from collections.abc import Sequence

from providers.vcs.github.client import GithubClient
from providers.vcs.github.rights import EVENTS, OF_MEMBERS
from providers.vcs.setup import Applied, Finding, Gap

_CONFIG = "/app/hook/config"


async def register(client: GithubClient, url: str, secret: str) -> Applied:
    """The App's deliveries go to this address, signed with this secret."""
    before = (await client.as_app("GET", _CONFIG)).text_or_none("url")
    await client.as_app("PATCH", _CONFIG, {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"})
    return Applied.UPDATED if before else Applied.CREATED


async def audit(client: GithubClient, url: str) -> Sequence[Finding]:
    """What is amiss with it."""
    config, app = await client.as_app("GET", _CONFIG), await client.as_app("GET", "/app")
    if config.text_or_none("url") != url:
        message = f"the App's webhook goes to {config.text_or_none('url') or 'nowhere'}, not to {url}"
        return [Finding(gap=Gap.HOOK_MISSING, message=message, advice="run admit connect again")]
    lacking = set(EVENTS) - OF_MEMBERS - {str(event) for event in app.fields.get("events") or []}
    if not lacking:
        return []
    message = f"the App does not subscribe to {', '.join(sorted(lacking))}"
    return [Finding(gap=Gap.HOOK_TOO_NARROW, message=message, advice="tick them in the App's settings under 'Permissions & events'")]
