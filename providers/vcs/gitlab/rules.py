"""What protected branches of GitLab let through, and what has to change in one. Pure.

Where several rules fit a branch the most generous one counts, so every one of them is looked at.
https://docs.gitlab.com/api/protected_branches/
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from providers.vcs.documents import Document
from providers.vcs.setup import Finding, Gap

NOBODY = 0
MAINTAINERS = 40


def fitting(rules: Sequence[Document], branch: str) -> list[Document]:
    """The rules in force on the branch; `*` in a name stands for anything."""
    return [rule for rule in rules if fnmatch.fnmatchcase(branch, rule.text("name").replace("[", "[[]").replace("?", "[?]"))]


def fresh(branch: str, account: int | None) -> dict[str, Any]:
    """A rule that lets nobody push, and maintainers merge, or the gateway's account alone."""
    merging: dict[str, Any] = {"allowed_to_merge": [{"user_id": account}]} if account is not None else {"merge_access_level": MAINTAINERS}
    return {"name": branch, "push_access_level": NOBODY, "allow_force_push": False, **merging}


def changes(rule: Document, account: int | None) -> dict[str, Any]:
    """What to change in the branch's own rule; nothing if it is right already."""
    wanted: dict[str, Any] = {}
    if rule.flag("allow_force_push"):
        wanted["allow_force_push"] = False
    pushers = [one for one in rule.documents("push_access_levels") if _someone(one)]
    if pushers:
        wanted["allowed_to_push"] = [_gone(one) for one in pushers] + [{"access_level": NOBODY}]
    mergers = [one for one in rule.documents("merge_access_levels") if _someone(one)]
    if account is not None and [one.number_or_none("user_id") for one in mergers] != [account]:
        others = [one for one in mergers if one.number_or_none("user_id") != account]
        known = len(others) != len(mergers)
        wanted["allowed_to_merge"] = [_gone(one) for one in others] + ([] if known else [{"user_id": account}])
    return wanted


def findings(rules: Sequence[Document], branch: str, account: int, login: str) -> list[Finding]:
    """Every gap the rules in force on the branch leave."""
    found = []
    for rule in rules:
        place = f"the rule '{rule.text('name')}' of branch '{branch}'"
        pushers = [_who(one) for one in rule.documents("push_access_levels") if _someone(one) and one.number_or_none("user_id") != account]
        if pushers:
            message = f"{place} lets {', '.join(pushers)} push"
            found.append(_gap(Gap.PUSHES_ALLOWED, message, "forbid to push, so that all goes through merge requests"))
        if rule.flag("allow_force_push"):
            found.append(_gap(Gap.FORCE_PUSHES_ALLOWED, f"{place} allows force pushes", "forbid to force-push"))
        mergers = [_who(one) for one in rule.documents("merge_access_levels") if _someone(one) and one.number_or_none("user_id") != account]
        if mergers:
            message = f"{place} lets {', '.join(mergers)} merge, and whoever may approve may answer a status check"
            found.append(_gap(Gap.OTHERS_MAY_MERGE, message, f"let '{login}' alone merge: admit connect with --only-gateway-merges"))
    return found


def only_merged_by(rules: Sequence[Document], account: int) -> bool:
    """Whether every rule in force lets the account merge, and nobody else."""
    mergers = [one for rule in rules for one in rule.documents("merge_access_levels") if _someone(one)]
    return bool(mergers) and all(one.number_or_none("user_id") == account for one in mergers)


def _someone(level: Document) -> bool:
    """`access_level` 0 is nobody, unless it stands for one account, group or deploy key."""
    named = any(level.number_or_none(name) is not None for name in ("user_id", "group_id", "deploy_key_id"))
    return named or (level.number_or_none("access_level") or NOBODY) != NOBODY


def _who(level: Document) -> str:
    return level.text_or_none("access_level_description") or "somebody"


def _gone(level: Document) -> dict[str, Any]:
    return {"id": level.number("id"), "_destroy": True}


def _gap(gap: Gap, message: str, advice: str) -> Finding:
    return Finding(gap=gap, message=message, advice=advice)
