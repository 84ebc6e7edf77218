"""What rules a branch of this GitHub has, and what they say of a merge: classic protection and rulesets, both in force."""

from __future__ import annotations

from typing import Any

from tests.servers.github.state import Extras, GithubState

Json = Any


def on_branch(extras: Extras, branch: str) -> list[Json]:
    """Every active rule of every ruleset that is about the branch, as `GET rules/branches` tells it."""
    found = []
    for ruleset in extras.rulesets:
        names = ruleset.get("conditions", {}).get("ref_name", {}).get("include", [])
        if ruleset["enforcement"] == "active" and {f"refs/heads/{branch}", "~ALL"} & set(names):
            for rule in ruleset.get("rules", []):
                source = {"ruleset_id": ruleset["id"], "ruleset_source_type": "Repository", "ruleset_source": ruleset["source"]}
                found.append({**rule, **source})
    return found


def protects(extras: Extras, branch: str) -> tuple[bool, int]:
    """Whether it has a classic protection, and how many rules of rulesets."""
    return branch in extras.protections, len(on_branch(extras, branch))


def required(extras: Extras, branch: str) -> set[tuple[str, int | None]]:
    """Names of what has to be successful, with the App it has to come from (None: whoever)."""
    checks = extras.protections.get(branch, {}).get("required_status_checks") or {}
    found = {(check["context"], check["app_id"]) for check in checks.get("checks", [])}
    for rule in on_branch(extras, branch):
        if rule["type"] == "required_status_checks":
            listed = rule["parameters"]["required_status_checks"]
            found |= {(check["context"], check.get("integration_id")) for check in listed}
    return found


def objection(state: GithubState, repository: str, branch: str, sha: str, user_id: int, app_id: int | None) -> str | None:
    """What stands against a merge; None: nothing."""
    extras, stored = state.of(repository), state.forge.world.repository(repository)
    for context, source in sorted(required(extras, branch), key=str):
        statuses = [s.state for s in stored.statuses.get(sha, {}).values() if s.context.casefold() == context.casefold() and source is None]
        runs = [r for r in extras.runs if r["head_sha"] == sha and r["name"] == context and source in (None, r["app"]["id"])]
        said = [state == "success" for state in statuses] + [r["conclusion"] in ("success", "neutral", "skipped") for r in runs[-1:]]
        if not said or not all(said):
            return f'Required status check "{context}" is expected.'
    for rule in on_branch(extras, branch):
        if rule["type"] == "update":
            actors = next(ruleset for ruleset in extras.rulesets if ruleset["id"] == rule["ruleset_id"])["bypass_actors"]
            if not any((a["actor_type"], a["actor_id"]) in {("User", user_id), ("Integration", app_id)} for a in actors):
                return "Repository rule violations found: Cannot update this protected ref."
    return None
