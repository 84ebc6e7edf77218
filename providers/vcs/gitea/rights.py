"""What an account and its token lack on one repository. Nothing is written: Gitea checks a token's scopes first."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import AccessRefused, NotFound, Unreachable
from providers.vcs.documents import UnexpectedShape
from providers.vcs.gitea.client import GiteaClient, Refused, TokenRefused, path_of

_NO_COMMIT = "0" * 40
_SCOPES = ("write:repository", "read:issue", "read:user")


async def missing(client: GiteaClient, repository: str) -> Sequence[str]:
    """Each lacking scope or role, in words. Raises Unreachable, and AccessRefused for a token that is wrong altogether."""
    base = path_of("repos", repository)
    found = [f"the token lacks the scope '{scope}'" for scope in _SCOPES if not await _has(client, base, scope)]
    try:
        settings = await client.get(base)
        if not settings.flag("has_pull_requests"):
            found.append(f"'{repository}' has no pull requests: switch them on in its settings")
        if not settings.document("permissions").flag("push"):
            found.append(f"the account may not write to '{repository}', so it can neither report nor merge: make it a collaborator")
    except NotFound:
        found.append(f"'{repository}' does not exist, or the account may not see it: make it a collaborator")
    except TokenRefused:
        raise
    except AccessRefused:
        pass  # the scope that is lacking has been named
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    return found


async def _has(client: GiteaClient, base: str, scope: str) -> bool:
    """Whether a request that needs the scope gets past Gitea's check of it; what comes behind that does not matter."""
    try:
        match scope:
            case "write:repository":
                # No state of a commit that cannot exist is ever stored.
                await client.request("POST", f"{base}/statuses/{_NO_COMMIT}", json={"state": "pending", "context": "admit/probe"})
            case "read:issue":
                await client.request("GET", f"{base}/issues", params={"limit": 1})
            case _:
                await client.get("/user")
    except TokenRefused:
        raise
    except AccessRefused as refused:
        return "scope" not in str(refused)
    except (NotFound, Refused, Unreachable):
        return True
    return True
