"""What a branch protection rule of Gitea lets through, and what has to change in it. Pure.

Gitea knows no expected source of a status: whoever may write may post any context. Only a merge whitelist that holds the
gateway's account alone stops a forged success.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from providers.vcs.documents import Document
from providers.vcs.setup import Finding, Gap


def required_changes(rule: Mapping[str, Any], context: str, account: str | None) -> dict[str, Any]:
    """The fields to change so that the context is required; `account` alone may merge, if given."""
    wanted: dict[str, Any] = {"enable_status_check": True, "block_admin_merge_override": True}
    contexts = list(rule.get("status_check_contexts") or [])
    wanted["status_check_contexts"] = contexts if context in contexts else [*contexts, context]
    if rule.get("enable_push") and not rule.get("enable_push_whitelist"):
        wanted["enable_push"] = False
    if rule.get("enable_force_push") and not rule.get("enable_force_push_allowlist"):
        wanted["enable_force_push"] = False
    if account is not None:
        wanted |= {"enable_merge_whitelist": True, "merge_whitelist_usernames": [account], "merge_whitelist_teams": []}
    return {name: value for name, value in wanted.items() if (rule.get(name) or type(value)()) != value}


def copied(rule: Document, branch: str) -> dict[str, Any]:
    """A rule for one branch that says all a broader one says."""
    own = {"branch_name", "rule_name", "priority", "created_at", "updated_at"}
    return {name: value for name, value in rule.fields.items() if name not in own} | {"rule_name": branch}


def findings(rule: Document, branch: str, context: str, account: str) -> list[Finding]:
    """Every gap the rule in force leaves."""
    place = f"the rule '{rule.text('rule_name')}' of branch '{branch}'"
    found = [*_status(rule, place, context), *_pushes(rule, place, account), *_merges(rule, place, account)]
    if rule.text("unprotected_file_patterns").strip():
        patterns = rule.text("unprotected_file_patterns").strip()
        found.append(
            _gap(Gap.FILES_UNPROTECTED, f"{place} lets files matching '{patterns}' be pushed", "empty its unprotected file patterns")
        )
    return found


def _status(rule: Document, place: str, context: str) -> list[Finding]:
    found = []
    contexts = _names(rule, "status_check_contexts")
    if not rule.flag("enable_status_check") or context not in contexts:
        found.append(_gap(Gap.STATUS_NOT_REQUIRED, f"{place} does not require '{context}'", "run admit connect with --require"))
    dropped = [pattern for pattern in contexts if is_dropped(pattern)]
    if dropped:
        quoted = ", ".join(f"'{pattern}'" for pattern in dropped)
        found.append(_gap(Gap.CHECKS_IGNORED, f"{place} lists {quoted}, which Gitea cannot read and drops", "correct or remove them"))
    if not rule.flag("block_admin_merge_override"):
        advice = "set 'block admin merge override', or run admit connect with --require"
        found.append(_gap(Gap.ADMINS_EXEMPT, f"{place} lets administrators merge whatever the status says", advice))
    return found


def _pushes(rule: Document, place: str, account: str) -> list[Finding]:
    found = []
    kinds = (
        (Gap.PUSHES_ALLOWED, "push", "enable_push", "enable_push_whitelist", "push_whitelist"),
        (Gap.FORCE_PUSHES_ALLOWED, "force-push", "enable_force_push", "enable_force_push_allowlist", "force_push_allowlist"),
    )
    for gap, verb, enabled, listed, prefix in kinds:
        if not rule.flag(enabled):
            continue
        if not rule.flag(listed):
            found.append(_gap(gap, f"{place} lets every writer {verb}", f"forbid to {verb}, so that all goes through changes"))
            continue
        people = [name for name in _names(rule, f"{prefix}_usernames") if name.lower() != account.lower()]
        people += [f"team {name}" for name in _names(rule, f"{prefix}_teams")]
        people += ["deploy keys"] if rule.flag(f"{prefix}_deploy_keys") else []
        if people:
            found.append(_gap(gap, f"{place} lets {', '.join(people)} {verb}", f"take them off the list of who may {verb}"))
    return found


def _merges(rule: Document, place: str, account: str) -> list[Finding]:
    advice = f"put '{account}' alone on the branch's merge whitelist"
    if not rule.flag("enable_merge_whitelist"):
        message = f"{place} lets every writer merge, and every writer may post a status of any name"
        return [_gap(Gap.OTHERS_MAY_MERGE, message, advice)]
    others = [name for name in _names(rule, "merge_whitelist_usernames") if name.lower() != account.lower()]
    others += [f"team {name}" for name in _names(rule, "merge_whitelist_teams")]
    return [_gap(Gap.OTHERS_MAY_MERGE, f"{place} lets {', '.join(others)} merge", advice)] if others else []


def is_glob(name: str) -> bool:
    """Whether Gitea takes a name for a pattern."""
    return any(sign in name for sign in "*?[]{}\\")


def is_dropped(pattern: str) -> bool:
    """Whether Gitea cannot read a check's name as a glob: it then requires nothing in its place."""
    expression, position = "", 0
    while position < len(pattern):
        sign = pattern[position]
        position += 1
        if sign == "[":
            end = _class_end(pattern, position)
            if end is None:
                return True
            expression += "[" + re.sub(r"^!", "^", pattern[position:end]) + "]"
            position = end + 1
        elif sign == "\\":
            if position == len(pattern):
                return True
            position += 1
    try:
        re.compile(expression)
    except re.error:
        return True
    return False


def _class_end(pattern: str, position: int) -> int | None:
    """Where `[…` ends; None if it does not."""
    while position < len(pattern):
        if pattern[position] == "]":
            return position
        position += 2 if pattern[position] == "\\" else 1
    return None


def _names(rule: Document, name: str) -> Sequence[str]:
    return [str(value) for value in rule.fields.get(name) or []]


def _gap(gap: Gap, message: str, advice: str) -> Finding:
    return Finding(gap=gap, message=message, advice=advice)
