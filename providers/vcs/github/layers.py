"""What stands between a change and its branch: layers of rules, and which ways round them are left. Pure.

A classic protection is a layer, and so is each ruleset; all of them are in force, so a way is closed when one layer that
exempts nobody closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.vcs.documents import Document
from providers.vcs.github.reports import Own
from providers.vcs.setup import Finding, Gap

OURS = "admit: "
"""How the names of rulesets begin that `admit connect` keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """contexts: required check → the App it has to come from (None: whoever). exempt: who need not heed it, in words.

    merges_for: who alone may update the branch, as rules name them; None: everybody who may write.
    """

    name: str
    contexts: dict[str, int | None]
    changes_only: bool
    no_force: bool
    merges_for: frozenset[tuple[str, object]] | None
    exempt: tuple[str, ...]


def gate_name(branch: str) -> str:
    return f"{OURS}{branch}"


def merges_name(branch: str) -> str:
    return f"{OURS}{branch}: who merges"


def gate(branch: str, context: str, gateway: Own, before: Document | None) -> dict[str, Any]:
    """The ruleset that requires the status of everybody; other rules people added to it stay."""
    kept = {rule.text("type"): dict(rule.fields) for rule in (before.documents("rules") if before is not None else ())}
    checks = kept.get("required_status_checks", {}).get("parameters", {})
    required = [check for check in checks.get("required_status_checks", []) if check["context"] != context]
    ours: dict[str, Any] = {"context": context, **({"integration_id": gateway.app_id} if gateway.app_id is not None else {})}
    known = [check for check in checks.get("required_status_checks", []) if check["context"] == context]
    fitting = len(known) == 1 and known[0].get("integration_id") == gateway.app_id
    required = checks["required_status_checks"] if fitting else [*required, ours]
    rules = {
        "deletion": {"type": "deletion"},
        "non_fast_forward": {"type": "non_fast_forward"},
        "pull_request": {
            "type": "pull_request",
            "parameters": {
                "dismiss_stale_reviews_on_push": False,
                "require_code_owner_review": False,
                "require_last_push_approval": False,
                "required_approving_review_count": 0,
                "required_review_thread_resolution": False,
            },
        },
        **kept,
        "required_status_checks": {
            "type": "required_status_checks",
            "parameters": {
                "strict_required_status_checks_policy": False,
                "do_not_enforce_on_create": False,
                **checks,
                "required_status_checks": required,
            },
        },
    }
    return _ruleset(gate_name(branch), branch, [rules[name] for name in sorted(rules)], [])


def merges(branch: str, gateway: Own) -> dict[str, Any]:
    """The ruleset that lets nobody but the gateway update the branch, and the gateway only by merging changes."""
    rule = {"type": "update", "parameters": {"update_allows_fetch_and_merge": False}}
    kind, id = ("Integration", gateway.app_id) if gateway.app_id is not None else ("User", gateway.account_id)
    actor = {"actor_id": id, "actor_type": kind, "bypass_mode": "pull_request"}
    return _ruleset(merges_name(branch), branch, [rule], [actor])


def _ruleset(name: str, branch: str, rules: list[Any], actors: list[Any]) -> dict[str, Any]:
    conditions = {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}}
    found = {"name": name, "target": "branch", "enforcement": "active", "bypass_actors": actors}
    return {**found, "conditions": conditions, "rules": rules}


def says(found: Any, wanted: Any) -> bool:
    """Whether what is there says all that is wanted: GitHub adds defaults and keeps no order of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(says(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(any(says(one, part) for one in found) for part in wanted)
    return bool(found == wanted)


def of_ruleset(ruleset: Document, rules: Sequence[Document]) -> Layer:
    """One ruleset with those of its rules that are in force on the branch."""
    types = {rule.text("type"): rule for rule in rules}
    contexts = {}
    if "required_status_checks" in types:
        for check in types["required_status_checks"].document("parameters").documents("required_status_checks"):
            contexts[check.text("context")] = check.number_or_none("integration_id")
    actors = ruleset.documents("bypass_actors") if "bypass_actors" in ruleset.fields else None
    named = frozenset((actor.text("actor_type"), actor.fields.get("actor_id")) for actor in actors or ())
    exempt = ("people it does not name to us",) if actors is None else tuple(_in_words(actor) for actor in actors)
    return Layer(
        name=f"the ruleset '{ruleset.text('name')}'",
        contexts=contexts,
        changes_only="pull_request" in types,
        no_force="non_fast_forward" in types,
        merges_for=named if "update" in types and actors is not None else None,
        exempt=exempt,
    )


def _in_words(actor: Document) -> str:
    kind, id = actor.text("actor_type"), actor.fields.get("actor_id")
    roles = {1: "organisation owners", 2: "maintainers", 4: "writers", 5: "administrators"}
    if kind == "RepositoryRole":
        who = roles.get(id if isinstance(id, int) else 0, f"role {id}")
    else:
        who = {"OrganizationAdmin": "organisation owners", "DeployKey": "deploy keys"}.get(kind, f"{kind.lower()} {id}")
    mode = actor.text_or_none("bypass_mode")
    return f"{who} (and nothing is recorded of it)" if mode == "exempt" else who


def findings(layers: Sequence[Layer], repository: str, branch: str, context: str, gateway: Own) -> list[Finding]:
    """Every way round the status that the layers leave."""
    place, again = f"branch '{branch}' of '{repository}'", "run admit connect with --require"
    if not any(context in layer.contexts for layer in layers):
        return [Finding(gap=Gap.STATUS_NOT_REQUIRED, message=f"{place} does not require '{context}'", advice=again)]
    found = [
        *_closed(layers, lambda one: context in one.contexts, Gap.STATUS_NOT_REQUIRED, place, f"'{context}'"),
        *_closed(layers, lambda one: one.changes_only, Gap.PUSHES_ALLOWED, place, "a change instead of a push"),
        *_closed(layers, lambda one: one.no_force, Gap.FORCE_PUSHES_ALLOWED, place, "that nobody force-pushes"),
        *_sources(layers, place, context, gateway),
    ]
    return list({finding.gap: finding for finding in found}.values())


def _closed(layers: Sequence[Layer], closes: Callable[[Layer], bool], gap: Gap, place: str, what: str) -> list[Finding]:
    closing = [layer for layer in layers if closes(layer)]
    if not closing:
        return [Finding(gap=gap, message=f"{place} does not demand {what}", advice="run admit connect with --require")]
    if any(not layer.exempt for layer in closing):
        return []
    layer = closing[0]
    message = f"{place} demands {what}, but {layer.name} exempts {', '.join(layer.exempt)}"
    return [Finding(gap=Gap.ADMINS_EXEMPT, message=message, advice="take them off its list of who may bypass it")]


def _sources(layers: Sequence[Layer], place: str, context: str, gateway: Own) -> list[Finding]:
    """Who else could say success. An App is insisted on as the source; of an account, only who merges can be restricted."""
    if gateway.app_id is not None:
        if any(layer.contexts.get(context) == gateway.app_id and not layer.exempt for layer in layers):
            return []
        message = f"{place} takes '{context}' from whoever reports it"
        return [Finding(gap=Gap.ANY_SOURCE, message=message, advice="run admit connect with --require")]
    alone = {("User", gateway.account_id), ("user", gateway.login)}
    if any(layer.merges_for is not None and layer.merges_for <= alone for layer in layers):
        return []
    message = f"{place} lets every writer merge, and every writer may post a status of any name"
    advice = "connect as a GitHub App, whose reports can be insisted on, or use --only-gateway-merges"
    return [Finding(gap=Gap.OTHERS_MAY_MERGE, message=message, advice=advice)]
