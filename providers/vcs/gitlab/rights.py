"""What an account and its token lack on one project. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import NotFound, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import GitLabClient, path_of

DEVELOPER = 30


async def missing(client: GitLabClient, repository: str) -> Sequence[str]:
    """Each lacking scope or role, in words. Raises Unreachable, and AccessRefused for a token that is wrong altogether."""
    found = []
    try:
        token = await _token(client)
        if token is not None and "api" not in token.texts("scopes"):
            found.append("the token lacks the scope 'api'")
        settings = await client.get(path_of("projects", repository))
        if settings.fields.get("merge_requests_access_level") == "disabled":
            found.append(f"'{repository}' has no merge requests: switch them on in its settings")
        if _level(settings) < DEVELOPER:
            found.append(f"the account is no developer of '{repository}', so it can neither report nor merge: add it as one")
    except NotFound:
        found.append(f"'{repository}' does not exist, or the account may not see it: add it as a developer")
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    return found


async def _token(client: GitLabClient) -> Document | None:
    """What the token may do; None for one that GitLab does not tell it of (OAuth)."""
    try:
        return await client.get("/personal_access_tokens/self")
    except NotFound:
        return None


def _level(settings: Document) -> int:
    """The account's access level on the project, its own or its group's."""
    permissions = settings.document("permissions")
    given = (permissions.document_or_none(name) for name in ("project_access", "group_access"))
    return max((access.number("access_level") for access in given if access is not None), default=0)
