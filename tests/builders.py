"""Builders: values with sensible contents, of which a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.domain.record import ChangeRef, Decision, DecisionId, FactsOrigin, TrackedChange
from policies import (
    Action,
    AdmissionRequest,
    BundleId,
    ChangeFacts,
    Digest,
    Enforcement,
    EngineInfo,
    Outcome,
    PolicyId,
    PolicyResult,
    Verdict,
    Violation,
    canonical,
    digest,
)
from policies.bundles import Bundle, Match, Policy

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def an_actor(login: str = "ana", id: str = "7") -> dict[str, Any]:
    return {"id": id, "login": login, "kind": "user", "ref": f"user:work/{id}"}


def a_change_document(**over: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "connection": "work",
        "forge": "gitea",
        "repository": {"id": "12", "name": "acme/app", "ref": "repository:work/12"},
        "number": 7,
        "url": "http://127.0.0.1:3000/acme/app/pulls/7",
        "title": "Add a cache",
        "body": "",
        "author": an_actor(),
        "labels": [],
        "draft": False,
        "state": "open",
        "head": {"ref": "cache", "sha": "a" * 40, "repository": "acme/app", "fork": False},
        "base": {"ref": "main", "sha": "b" * 40, "protected": True},
        "stack": None,
        "mergeable": True,
        "files": [{"path": "app/cache.py", "previous_path": None, "status": "added", "additions": 3, "deletions": 0}],
        "commits": [],
        "reviews": [],
        "requested_reviewers": [],
        "checks": [],
        "comments": [],
        "threads": None,
        "dependencies": None,
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-02T11:00:00Z",
    }
    return {**document, **over}


def a_request(*, time: datetime = NOON, **change: Any) -> AdmissionRequest:
    return AdmissionRequest(subject=an_actor(), thing=ChangeFacts(document=a_change_document(**change)), time=time)


def a_policy(
    package: str = "merge.x",
    *,
    bundle: str = "acme",
    rules: tuple[str, ...] = ("deny",),
    enforcement: Enforcement = Enforcement.DENY,
    match: Match | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Policy:
    return Policy(
        id=PolicyId(bundle=bundle, package=package),
        match=match or Match(action=Action.MERGE),
        enforcement=enforcement,
        parameters=parameters or {},
        rules=rules,
    )


def a_bundle(*policies: Policy, name: str = "acme", modules: Mapping[str, str] | None = None) -> Bundle:
    """Not read from anywhere: its digest is over its modules alone."""
    texts = dict(modules or {})
    return Bundle(
        name=name,
        revision="1",
        digest=digest("bundle", canonical({"name": name, "modules": texts})),
        policies=policies,
        modules=texts,
        tests={},
        data={},
        files={path: text.encode() for path, text in texts.items()},
    )


def a_violation(message: str = "no owner has approved", package: str = "merge.x") -> Violation:
    return Violation(policy=PolicyId(bundle="acme", package=package), message=message)


def a_verdict(outcome: Outcome = Outcome.ADMITTED) -> Verdict:
    from policies import Fault, Hold, Reason

    policy = PolicyId(bundle="acme", package="merge.x")
    passed = (PolicyResult(policy=policy, enforcement=Enforcement.DENY, outcome=outcome),)
    match outcome:
        case Outcome.ADMITTED:
            return Verdict(policies=passed)
        case Outcome.DENIED:
            return Verdict(policies=passed, violations=(a_violation(),))
        case Outcome.HELD:
            hold = Hold(policy=policy, message="a release manager has to agree", relation="release_manager", object="repository:work/12")
            return Verdict(policies=passed, holds=(hold,))
        case Outcome.UNDECIDED:
            return Verdict(policies=passed, faults=(Fault(reason=Reason.FACTS_TORN, message="the facts moved"),))


def a_change_ref(**over: Any) -> ChangeRef:
    return ChangeRef(
        **{
            "connection": "work",
            "repository_id": "12",
            "repository": "acme/app",
            "number": 7,
            "head_sha": "a" * 40,
            "target_branch": "main",
            "url": "http://127.0.0.1:3000/acme/app/pulls/7",
            "title": "Add a cache",
            **over,
        }
    )


def a_decision(id: str = "d1", *, verdict: Verdict | None = None, change: ChangeRef | None = None, **over: Any) -> Decision:
    return Decision(
        **{
            "id": DecisionId(id),
            "at": NOON,
            "action": Action.MERGE,
            "subject": "user:work/7",
            "change": change or a_change_ref(),
            "workflow": None,
            "verdict": verdict or a_verdict(),
            "bundles": (BundleId(name="acme", revision="1", digest=Digest("sha256:" + "0" * 64)),),
            "engine": EngineInfo(name="opa", version="1.20.2"),
            "generation": 1,
            "facts": FactsOrigin.GATHERED,
            "input_digest": digest("facts", b"{}"),
            **over,
        }
    )


def a_tracked_change(outcome: Outcome | None = Outcome.ADMITTED, *, decision: str | None = "d1", **over: Any) -> TrackedChange:
    ref = {key: over.pop(key) for key in list(over) if key in ChangeRef.__dataclass_fields__}
    return TrackedChange(
        **{
            "ref": a_change_ref(**ref),
            "state": "open",
            "decision_id": DecisionId(decision) if decision and outcome else None,
            "outcome": outcome,
            "updated_at": NOON,
            **over,
        }
    )
