"""Values to store, whole and plausible; say only what the test is about."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.audit import AuditEvent
from gateway.domain.chain import EMPTY
from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.domain.record import ChangeRef, Decision, DecisionId, FactsOrigin, TrackedChange
from gateway.storage import PostedReport, StoredBundle, StoredToken
from gateway.storage.columns import metadata
from gateway.storage.sql import tables
from policies.bundles.checking import bundle_digest
from policies.canonical import canonical, digest
from policies.model import (
    Action,
    BundleId,
    Digest,
    Enforcement,
    EngineInfo,
    Fault,
    Hold,
    Location,
    Outcome,
    PolicyId,
    PolicyResult,
    Question,
    Reason,
    ShadowResult,
    Verdict,
    Violation,
    Warning,
    Who,
    Would,
)

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
POLICY = PolicyId(bundle="acme", package="merge.owner_approval")
_counter = itertools.count(1)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def a_ref(**fields) -> ChangeRef:
    standard = {
        "connection": "work",
        "repository_id": "12",
        "repository": "acme/Shop",
        "number": 7,
        "head_sha": "a" * 40,
        "target_branch": "main",
        "url": "https://forge.example/acme/Shop/pulls/7",
        "title": "Sell more",
    }
    return ChangeRef(**{**standard, **fields})


def a_verdict(outcome: Outcome = Outcome.DENIED) -> Verdict:
    """One of the outcome, with something of everything that may accompany it."""
    result = PolicyResult(policy=POLICY, enforcement=Enforcement.DENY, outcome=outcome)
    return Verdict(
        violations=(
            Violation(
                policy=POLICY,
                message="no owner has approved",
                remedy="ask one",
                location=Location(path="a.py", line=3),
                who=Who(relation="owner", object="repository:work/12"),
            ),
        )
        if outcome is Outcome.DENIED
        else (),
        faults=(Fault(reason=Reason.POLICY_TIMED_OUT, message="too slow", policy=POLICY),) if outcome is Outcome.UNDECIDED else (),
        holds=(Hold(policy=POLICY, message="wait", relation="owner", object="repository:work/12", count=2, expires_at=NOON + minutes(9)),)
        if outcome is Outcome.HELD
        else (),
        warnings=(Warning(policy=POLICY, message="large", remedy=None, location=Location(path="b.py")),),
        dryrun=(ShadowResult(policy=POLICY, would=Would.HOLD, message="soon"),),
        policies=(result,),
        valid_until=NOON + minutes(60),
    )


def some_facts(time: datetime = NOON, **fields) -> bytes:
    """The input document as it is recorded: with the time it was judged at."""
    return canonical({"version": 1, "time": time.isoformat(), "change": {"title": "Sell more", **fields}})


def a_decision(facts: bytes | None = None, **fields) -> Decision:
    facts = some_facts() if facts is None else facts
    standard = {
        "id": DecisionId(f"decision-{next(_counter)}"),
        "at": NOON,
        "action": Action.MERGE,
        "subject": "user:work/7",
        "change": a_ref(),
        "workflow": None,
        "verdict": a_verdict(),
        "bundles": (BundleId(name="acme", revision="r1", digest=Digest("sha256:" + "1" * 64)),),
        "engine": EngineInfo(name="opa", version="1.20.2"),
        "generation": 1,
        "facts": FactsOrigin.GATHERED,
        "input_digest": digest("facts", facts),
        "relations": ((Question(user="user:work/7", relation="owner", object="repository:work/12"), False),),
        "policies_commit": "b" * 40,
        "microseconds": 125_000,
    }
    return Decision(**{**standard, **fields})


def a_tracked(decision: Decision | None = None, ref: ChangeRef | None = None, **fields) -> TrackedChange:
    standard = {
        "ref": ref or (decision.change if decision and decision.change else a_ref()),
        "state": "open",
        "decision_id": decision.id if decision else None,
        "outcome": decision.outcome if decision else None,
        "updated_at": NOON,
    }
    return TrackedChange(**{**standard, **fields})


def a_delivery(**fields) -> Delivery:
    standard = {
        "connection": "work",
        "id": f"delivery-{next(_counter)}",
        "received_at": NOON,
        "headers": {"content-type": "application/json", "x-gitea-event": "pull_request"},
        "body": b'{"action": "opened"}',
        "what": "pull_request.opened",
    }
    return Delivery(**{**standard, **fields})


def a_dispatch(**fields) -> Dispatch:
    standard = {
        "id": f"dispatch-{next(_counter)}",
        "workflow_id": "change:work:acme/shop:7",
        "workflow_type": "judge_change",
        "input": {"number": 7},
        "signal": "event",
        "payload": {"what": "opened"},
    }
    return Dispatch(**{**standard, **fields})


def a_bundle(name: str = "acme", revision: str = "r1", files: dict[str, bytes] | None = None) -> StoredBundle:
    files = files or {"bundle.yaml": f"name: {name}\nrevision: {revision}\n".encode(), "a/policy.rego": b"package a\n"}
    return StoredBundle(id=BundleId(name=name, revision=revision, digest=bundle_digest(files)), files=files)


def an_event(what: str = "bundle.published", about: str = "acme", **fields) -> AuditEvent:
    return AuditEvent(**{"at": NOON, "who": "ana", "what": what, "about": about, "details": {"revision": "r1"}, **fields})


def a_report(**fields) -> PostedReport:
    standard = {
        "connection": "work",
        "repository_id": "12",
        "sha": "a" * 40,
        "context": "admit/main",
        "state": "failure",
        "description": "no owner has approved",
        "target_url": "http://127.0.0.1:8080/decisions/x",
        "posted_at": NOON,
    }
    return PostedReport(**{**standard, **fields})


def a_token(**fields) -> StoredToken:
    number = next(_counter)
    standard = {
        "name": f"token-{number}",
        "hash": f"{number:064x}",
        "scopes": ("admin", "reader"),
        "created_at": NOON,
        "expires_at": None,
    }
    return StoredToken(**{**standard, **fields})


async def recorded(storage, *, in_force: int | None = None, facts: bytes | None = None, seen=None, dispatches=(), **fields) -> Decision:
    """A decision of these fields, recorded with its change as the gateway does."""
    facts = some_facts() if facts is None else facts
    decision = a_decision(facts, **fields)
    tracked = a_tracked(decision, updated_at=decision.at) if decision.change else None
    return await storage.record_decision(decision, facts=facts, change=tracked, generation=in_force, seen=seen, dispatches=dispatches)


def as_migrated(connection: Connection) -> None:
    """Leave nothing in the tables but what the migrations put there. Migrating anew costs more than most tests."""
    for table in metadata.sorted_tables:
        connection.execute(table.delete())
    connection.execute(tables.in_force.insert(), {"one": 1, "number": 0})
    connection.execute(tables.relations_head.insert(), {"one": 1, "sequence": 0, "model": 0})
    connection.execute(tables.chain_head.insert(), {"one": 1, "position": EMPTY.position, "hash": EMPTY.hash})
