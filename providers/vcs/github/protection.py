"""The classic protection of a branch: read as a layer, and written where a GitHub has no rulesets.

Writing replaces it whole, so what it says otherwise is read first and said again.
https://docs.github.com/en/rest/branches/branch-protection
"""

from __future__ import annotations

from typing import Any

from providers.errors import AccessRefused, NotFound
from providers.vcs.documents import Document
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.layers import Layer
from providers.vcs.github.reports import Own
from providers.vcs.setup import Applied


async def of(client: GithubClient, repository: str, branch: str) -> Layer | None:
    """What it demands; None where the branch has none."""
    found = await _read(client, repository, branch)
    if found is None:
        return None
    exempt = [] if found.document("enforce_admins").flag("enabled") else ["administrators"]
    reviews = found.document_or_none("required_pull_request_reviews")
    allowances = reviews.document_or_none("bypass_pull_request_allowances") if reviews is not None else None
    exempt += _people(allowances) if allowances is not None else []
    force = found.document_or_none("allow_force_pushes")
    restrictions = found.document_or_none("restrictions")
    return Layer(
        name="the branch protection",
        contexts=_contexts(found),
        changes_only=reviews is not None,
        no_force=force is None or not force.flag("enabled"),
        merges_for=frozenset(("user", name) for name in _people(restrictions)) if restrictions is not None else None,
        exempt=tuple(exempt),
    )


async def require(client: GithubClient, repository: str, branch: str, context: str, gateway: Own, *, alone: bool) -> Applied:
    """The status required of everybody, administrators too; what the protection says otherwise stays."""
    before = await _read(client, repository, branch)
    now = _as_written(before)
    wanted = _wanted(now, context, gateway, alone=alone)
    if before is not None and wanted == now:
        return Applied.UNCHANGED
    await client.request("PUT", _path(repository, branch), json=wanted)
    return Applied.CREATED if before is None else Applied.UPDATED


def _wanted(now: dict[str, Any], context: str, gateway: Own, *, alone: bool) -> dict[str, Any]:
    checks = now["required_status_checks"] or {"strict": False, "contexts": [], "checks": []}
    ours = {"context": context, "app_id": gateway.app_id if gateway.app_id is not None else -1}
    others = [check for check in checks["checks"] if check["context"] != context]
    required = checks["checks"] if ours in checks["checks"] else [*others, ours]
    restrictions = now["restrictions"]
    if alone:
        app = gateway.app_id is not None
        restrictions = {"users": [] if app else [gateway.login], "teams": [], "apps": [gateway.login.removesuffix("[bot]")] if app else []}
    return {
        **now,
        "required_status_checks": {"strict": checks["strict"], "contexts": [], "checks": required},
        "enforce_admins": True,
        "required_pull_request_reviews": now["required_pull_request_reviews"] or {"required_approving_review_count": 0},
        "restrictions": restrictions,
        "allow_force_pushes": False,
        "allow_deletions": False,
    }


def _as_written(found: Document | None) -> dict[str, Any]:
    """What would have to be written to have what is there."""
    if found is None:
        return {"required_status_checks": None, "enforce_admins": None, "required_pull_request_reviews": None, "restrictions": None}
    checks = found.document_or_none("required_status_checks")
    reviews = found.document_or_none("required_pull_request_reviews")
    restrictions = found.document_or_none("restrictions")
    written: dict[str, Any] = {
        "required_status_checks": None,
        "enforce_admins": found.document("enforce_admins").flag("enabled"),
        "required_pull_request_reviews": _reviews(reviews) if reviews is not None else None,
        "restrictions": None,
    }
    if checks is not None:
        listed = [{"context": name, "app_id": -1 if app is None else app} for name, app in _contexts(found).items()]
        written["required_status_checks"] = {"strict": checks.fields.get("strict") is True, "contexts": [], "checks": listed}
    if restrictions is not None:
        written["restrictions"] = _names(restrictions)
    for name in _SWITCHES:
        switch = found.document_or_none(name)
        if switch is not None:
            written[name] = switch.flag("enabled")
    return written


_SWITCHES = (
    "required_linear_history",
    "allow_force_pushes",
    "allow_deletions",
    "block_creations",
    "required_conversation_resolution",
    "lock_branch",
    "allow_fork_syncing",
)
_OF_REVIEWS = ("dismiss_stale_reviews", "require_code_owner_reviews", "required_approving_review_count", "require_last_push_approval")


def _reviews(reviews: Document) -> dict[str, Any]:
    written = {name: reviews.fields[name] for name in _OF_REVIEWS if name in reviews.fields}
    for name in ("dismissal_restrictions", "bypass_pull_request_allowances"):
        people = reviews.document_or_none(name)
        if people is not None:
            written[name] = _names(people)
    return written


def _contexts(found: Document) -> dict[str, int | None]:
    checks = found.document_or_none("required_status_checks")
    if checks is None:
        return {}
    return {check.text("context"): check.number_or_none("app_id") for check in checks.documents("checks")}


def _names(people: Document) -> dict[str, list[str]]:
    return {
        "users": [one.text("login") for one in people.documents("users")],
        "teams": [one.text("slug") for one in people.documents("teams")],
        "apps": [one.text("slug") for one in (people.documents("apps") if "apps" in people.fields else ())],
    }


def _people(people: Document) -> list[str]:
    named = _names(people)
    return [*named["users"], *(f"team {name}" for name in named["teams"]), *(f"app {name}" for name in named["apps"])]


async def _read(client: GithubClient, repository: str, branch: str) -> Document | None:
    try:
        return await client.get(_path(repository, branch))
    except NotFound:
        return None
    except AccessRefused as refused:
        if "upgrade" in str(refused).lower():
            return None  # this plan has no protected branches, so there is none
        raise


def _path(repository: str, branch: str) -> str:
    return path_of("repos", repository, "branches", branch) + "/protection"
