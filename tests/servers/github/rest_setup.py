"""What an administrator sets up by REST: webhooks, rulesets, and the classic protection of a branch."""

from __future__ import annotations

from typing import Any

from tests.servers.github.rest import Asked, Said, gone, serves, stored
from tests.servers.github.rules import on_branch
from tests.servers.github.state import GithubState

Json = Any
_HOOKS = "/repos/{owner}/{repo}/hooks"
_RULESETS = "/repos/{owner}/{repo}/rulesets"
_PROTECTION = "/repos/{owner}/{repo}/branches/{branch}/protection"


def _shown(hook: Json) -> Json:
    """Its secret is told to nobody."""
    config = {name: "********" if name == "secret" else value for name, value in hook["config"].items()}
    return {**hook, "config": config}


@serves("GET", _HOOKS)
def hooks(state: GithubState, asked: Asked) -> Said:
    return Said(items=[_shown(hook) for hook in state.of(stored(state, asked).name).hooks])


@serves("POST", _HOOKS)
def create_hook(state: GithubState, asked: Asked) -> Said:
    hook = {
        "id": state.next_id(),
        "type": "Repository",
        "name": "web",
        "active": asked.body.get("active", True),
        "events": asked.body.get("events", ["push"]),
        "config": asked.body["config"],
        "last_response": {"code": None, "status": "unused", "message": None},
    }
    state.of(stored(state, asked).name).hooks.append(hook)
    return Said(status=201, body=_shown(hook))


@serves("PATCH", _HOOKS + "/{hook_id}")
def update_hook(state: GithubState, asked: Asked) -> Said:
    for hook in state.of(stored(state, asked).name).hooks:
        if str(hook["id"]) == asked.path["hook_id"]:
            hook.update({name: asked.body[name] for name in ("active", "events", "config") if name in asked.body})
            return Said(body=_shown(hook))
    return gone()


@serves("DELETE", _HOOKS + "/{hook_id}")
def delete_hook(state: GithubState, asked: Asked) -> Said:
    extras = state.of(stored(state, asked).name)
    extras.hooks = [hook for hook in extras.hooks if str(hook["id"]) != asked.path["hook_id"]]
    return Said(status=204)


@serves("GET", _RULESETS)
def rulesets(state: GithubState, asked: Asked) -> Said:
    if not state.has_rulesets:
        return gone()
    listed = state.of(stored(state, asked).name).rulesets
    return Said(
        items=[{name: value for name, value in one.items() if name not in ("rules", "bypass_actors", "conditions")} for one in listed]
    )


@serves("POST", _RULESETS)
def create_ruleset(state: GithubState, asked: Asked) -> Said:
    repository = stored(state, asked)
    ruleset = {"bypass_actors": [], **asked.body, "id": state.next_id(), "source": repository.name, "source_type": "Repository"}
    state.of(repository.name).rulesets.append(ruleset)
    return Said(status=201, body=ruleset)


def _ruleset(state: GithubState, asked: Asked) -> Json:
    listed = state.of(stored(state, asked).name).rulesets
    return next((one for one in listed if str(one["id"]) == asked.path["ruleset_id"]), None)


@serves("GET", _RULESETS + "/{ruleset_id}")
def ruleset(state: GithubState, asked: Asked) -> Said:
    found = _ruleset(state, asked)
    return Said(body=found) if found is not None else gone()


@serves("PUT", _RULESETS + "/{ruleset_id}")
def update_ruleset(state: GithubState, asked: Asked) -> Said:
    found = _ruleset(state, asked)
    if found is None:
        return gone()
    found.update(asked.body)
    return Said(body=found)


@serves("GET", "/repos/{owner}/{repo}/rules/branches/{branch}")
def branch_rules(state: GithubState, asked: Asked) -> Said:
    return Said(items=on_branch(state.of(stored(state, asked).name), asked.path["branch"]))


@serves("GET", _PROTECTION)
def protection(state: GithubState, asked: Asked) -> Said:
    found = state.of(stored(state, asked).name).protections.get(asked.path["branch"])
    return Said(body=found) if found is not None else gone()


@serves("PUT", _PROTECTION)
def protect(state: GithubState, asked: Asked) -> Said:
    body = asked.body
    checks = body["required_status_checks"]
    told: dict[str, Json] = {
        "enforce_admins": {"url": "https://github.test/", "enabled": bool(body["enforce_admins"])},
        "allow_force_pushes": {"enabled": bool(body.get("allow_force_pushes"))},
        "allow_deletions": {"enabled": bool(body.get("allow_deletions"))},
    }
    if checks is not None:
        listed = [{"context": check["context"], "app_id": _pinned(check.get("app_id"))} for check in checks.get("checks", [])]
        told["required_status_checks"] = {"strict": checks["strict"], "contexts": [one["context"] for one in listed], "checks": listed}
    if body["required_pull_request_reviews"] is not None:
        told["required_pull_request_reviews"] = {
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            **body["required_pull_request_reviews"],
        }
    if body["restrictions"] is not None:
        told["restrictions"] = {
            name: [{"login": who, "slug": who} for who in body["restrictions"].get(name, [])] for name in ("users", "teams", "apps")
        }
    state.of(stored(state, asked).name).protections[asked.path["branch"]] = told
    return Said(body=told)


def _pinned(app_id: int | None) -> int | None:
    return None if app_id == -1 else app_id
