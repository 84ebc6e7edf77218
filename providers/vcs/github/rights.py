"""What an account and its token, or an App's installation, lack on one repository. Nothing is written.

An App says itself what it may do. What a token may do is told by its scopes, where it is a classic one, and by asking for
something that does not exist, which GitHub refuses for lack of rights before it looks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import AccessRefused, NotFound, PermanentError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.credentials import InstallationAuth
from providers.vcs.github.faults import TokenRefused

_NO_COMMIT = "0" * 40
OF_AN_APP = {
    "checks": ("write", "report"),
    "contents": ("write", "read policies and merge"),
    "metadata": ("read", "read anything"),
    "pull_requests": ("write", "read and merge changes"),
    "statuses": ("read", "read other checks"),
}
EVENTS = (
    "check_run",
    "check_suite",
    "delete",
    "issue_comment",
    "member",
    "membership",
    "merge_group",
    "organization",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "status",
    "team",
    "team_add",
)
"""What has to be known of, as a repository's webhook, or an App, subscribes to it."""
OF_MEMBERS = frozenset({"member", "membership", "organization", "team", "team_add"})
"""Who belongs to what: of use where relationships come from the forge, and for an App only with `members: read`."""
NOT_OF_A_REPOSITORY = frozenset({"membership", "organization", "team"})
"""Only organisations and Apps tell of these."""
JUDGED_BY = frozenset({"check_run", "issue_comment", "pull_request", "pull_request_review", "push", "status"})
"""Without these, changes are judged late: by reconciling."""
_LEVELS = ("read", "write", "admin")


async def missing(client: GithubClient, repository: str) -> Sequence[str]:
    """Each lacking scope, permission or role, in words. Raises Unreachable, and AccessRefused for credentials that are wrong."""
    base = path_of("repos", repository)
    try:
        if isinstance(client.auth, InstallationAuth):
            return [*await _of_an_installation(client, client.auth), *await _seen(client, base, repository)]
        return [*await _of_a_token(client, base), *await _seen(client, base, repository)]
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _of_an_installation(client: GithubClient, auth: InstallationAuth) -> list[str]:
    described = await client.as_app("GET", f"/app/installations/{await client.in_thread(auth.installation)}")
    if described.text_or_none("suspended_at") is not None:
        raise AccessRefused("the App's installation is suspended", advice="lift the suspension in the account's settings")
    given = described.document("permissions").fields
    found = [
        f"the App lacks the permission '{name}: {level}', so it cannot {use}"
        for name, (level, use) in OF_AN_APP.items()
        if not _reaches(given.get(name), level)
    ]
    unheard = JUDGED_BY - {str(event) for event in described.fields.get("events") or []}
    return found + [f"the App does not subscribe to '{event}'" for event in sorted(unheard)]


async def _of_a_token(client: GithubClient, base: str) -> list[str]:
    try:
        answer = await client.request("GET", base)
    except NotFound:
        return []
    private = Document(answer.value if isinstance(answer.value, dict) else {}, answer.where).flag("private")
    if answer.scopes is None:
        return [] if await _may_report(client, base) else ["the token lacks the permission 'Commit statuses: write'"]
    scopes = {scope.strip() for scope in answer.scopes.split(",")}
    if "repo" in scopes or (not private and {"public_repo", "repo:status"} <= scopes):
        return []
    return ["the token lacks the scope 'repo'"] if private or "public_repo" not in scopes else []


async def _may_report(client: GithubClient, base: str) -> bool:
    """Whether a status of a commit that cannot exist fails for the commit's sake."""
    try:
        await client.request("POST", f"{base}/statuses/{_NO_COMMIT}", json={"state": "pending", "context": "admit/probe"})
    except TokenRefused:
        raise
    except AccessRefused:
        return False
    except PermanentError:
        return True
    return True


async def _seen(client: GithubClient, base: str, repository: str) -> list[str]:
    try:
        settings = await client.get(base)
    except NotFound:
        return [f"'{repository}' does not exist, or the account may not see it: give the account, or the App, access to it"]
    if isinstance(client.auth, InstallationAuth):
        return []
    if not settings.document("permissions").flag("push"):
        return [f"the account may not write to '{repository}', so it can neither report nor merge: make it a collaborator"]
    return []


def _reaches(given: object, wanted: str) -> bool:
    return given in _LEVELS and _LEVELS.index(str(given)) >= _LEVELS.index(wanted)
