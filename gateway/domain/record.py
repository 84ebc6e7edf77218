"""The record: a verdict in its envelope, and how it is written down and read back.

The written form of a decision is one JSON document (the one users get); storage keeps its canonical bytes, so what is
read back, shown, sealed and replayed is what was decided. Reading back is strict: a document that is not whole raises.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from gateway.domain.dispatch import id_of
from policies.canonical import canonical
from policies.model import (
    Action,
    BundleId,
    Digest,
    Enforcement,
    EngineInfo,
    Fault,
    Hold,
    Json,
    Location,
    Outcome,
    PolicyId,
    PolicyResult,
    Question,
    Reason,
    Release,
    ShadowResult,
    Verdict,
    Violation,
    Warning,
    Who,
    Would,
    rfc3339,
)
from policies.values import field, replace, value

DecisionId = NewType("DecisionId", str)
"""Unguessable: whoever has the link may see outcome and remedies."""


class FactsOrigin(StrEnum):
    """Where the facts came from. Only gathered ones may be reported to a forge."""

    GATHERED = "gathered"
    PROVIDED = "provided"


@value
class ChangeRef:
    """Which change a decision is about, and the commit and target branch it is good for."""

    connection: str
    repository_id: str
    repository: str
    number: int
    head_sha: str
    target_branch: str
    url: str
    title: str

    @property
    def workflow_id(self) -> str:
        """The id of the workflow that judges this change."""
        return change_workflow_id(self.connection, self.repository, self.number)

    @property
    def repository_ref(self) -> str:
        """What relations call its repository."""
        return repository_ref(self.connection, self.repository_id)


def repository_ref(connection: str, repository_id: str) -> str:
    """What relations call a repository."""
    return f"repository:{connection}/{repository_id}"


def change_workflow_id(connection: str, repository: str, number: int) -> str:
    """One workflow for each change; forges ignore the case of a repository's name."""
    return id_of("change", connection, repository.lower(), number)


@value
class Override:
    """Break-glass: shown beside the outcome, never instead of it."""

    by: str
    reason: str
    until: datetime


@value
class Decision:
    """A verdict in its envelope.

    subject: the Actor's `ref`. input_digest: the blob of the facts judged (kind `facts`).
    generation: which bundles were in force; 0 = none of the gateway's (a dry run).
    microseconds: how long judging took.
    relations_model: id of the model that answered `relations`, where whoever answered has one.
    policies_commit: where the repository's own `.admit/` was read, if it has one.
    """

    id: DecisionId
    at: datetime
    action: Action
    subject: str
    change: ChangeRef | None
    workflow: str | None
    verdict: Verdict
    bundles: tuple[BundleId, ...]
    engine: EngineInfo
    generation: int
    facts: FactsOrigin
    input_digest: Digest
    relations: tuple[tuple[Question, bool], ...] = ()
    relations_model: str | None = None
    policies_commit: str | None = None
    microseconds: int = 0
    override: Override | None = None
    confirmed_at: datetime | None = None

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome


def verdict_document(verdict: Verdict) -> dict[str, Json]:
    """The verdict alone, as users get it and as replay compares it."""
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "violations": [_violation(v) for v in verdict.violations],
        "faults": [
            {"reason": f.reason.value, "message": f.message, "policy": _policy(f.policy) if f.policy else None} for f in verdict.faults
        ],
        "holds": [
            {
                "policy": _policy(h.policy),
                "message": h.message,
                "relation": h.relation,
                "object": h.object,
                "count": h.count,
                "expires_at": rfc3339(h.expires_at) if h.expires_at else None,
            }
            for h in verdict.holds
        ],
        **_released(verdict),
        "warnings": [
            {"policy": _policy(w.policy), "message": w.message, "remedy": w.remedy, "location": _location(w.location)}
            for w in verdict.warnings
        ],
        "dryrun": [{"policy": _policy(s.policy), "would": s.would.value, "message": s.message} for s in verdict.dryrun],
        "policies": [
            {
                "bundle": p.policy.bundle,
                "package": p.policy.package,
                "enforcement": p.enforcement.value,
                "outcome": p.outcome.value,
                "message": p.message,
            }
            for p in verdict.policies
        ],
        "valid_until": rfc3339(verdict.valid_until) if verdict.valid_until else None,
    }


def _released(verdict: Verdict) -> dict[str, Json]:
    """Only where there are any: decisions recorded before there could be have to read as they were written."""
    found: list[Json] = [
        {"policy": _policy(r.policy), "message": r.message, "relation": r.relation, "object": r.object, "by": list(r.by)}
        for r in verdict.released
    ]
    return {"released": found} if found else {}


def decision_document(decision: Decision) -> dict[str, Json]:
    """The decision as users get it (design: "The decision"). Faults ride along beside the promised names."""
    change = decision.change
    return {
        "id": decision.id,
        "at": rfc3339(decision.at),
        "action": decision.action.value,
        "subject": decision.subject,
        "change": None
        if change is None
        else {
            "connection": change.connection,
            "repository_id": change.repository_id,
            "repository": change.repository,
            "number": change.number,
            "head_sha": change.head_sha,
            "target_branch": change.target_branch,
            "url": change.url,
            "title": change.title,
        },
        "workflow": decision.workflow,
        **verdict_document(decision.verdict),
        "override": override_document(decision.override),
        "bundles": [{"name": b.name, "revision": b.revision, "digest": b.digest} for b in decision.bundles],
        "generation": decision.generation,
        "facts": decision.facts.value,
        "input_digest": decision.input_digest,
        "relations": [
            {"user": q.user, "relation": q.relation, "object": q.object, "related": related} for q, related in decision.relations
        ],
        **({"relations_model": decision.relations_model} if decision.relations_model is not None else {}),
        "engine": {"name": decision.engine.name, "version": decision.engine.version},
        "policies_commit": decision.policies_commit,
        "microseconds": decision.microseconds,
        "confirmed_at": rfc3339(decision.confirmed_at) if decision.confirmed_at else None,
    }


def override_document(override: Override | None) -> Json:
    """By whom, why and until when; null where there is none."""
    return None if override is None else {"by": override.by, "reason": override.reason, "until": rfc3339(override.until)}


def override_from_document(document: dict[str, Any] | None) -> Override | None:
    """The inverse of `override_document`."""
    return None if document is None else Override(by=document["by"], reason=document["reason"], until=_time(document["until"]))


def written(decision: Decision) -> bytes:
    """The canonical bytes that the record keeps; when it was confirmed they do not tell. Raises NotCanonical."""
    return canonical({**decision_document(decision), "confirmed_at": None})


def substance(document: bytes, facts: bytes) -> str:
    """Equal for two decisions, as `written`, that say the same of the same facts: all but its id, when, how long, and the
    judgement's clock.

    Facts carry the time they were judged at, so their digests never meet twice; everything else in them counts.
    """
    said = _INCIDENTAL.sub(b"", document)
    return hashlib.sha256(b"%d:%b%b" % (len(said), said, _without_time(facts))).hexdigest()


def _without_time(facts: bytes) -> bytes:
    """Facts as they are, but for when they were judged."""
    end = _LAST_TIME.search(facts, facts.rfind(b',"time":"'))
    if end is not None:  # of a change: in canonical bytes the time stands at the end
        return facts[: end.start()]
    judged = json.loads(facts)
    if isinstance(judged, dict):
        judged.pop("time", None)
    return _COMPACT.encode(judged).encode()


_INCIDENTAL = re.compile(rb'"(?:at|confirmed_at|id|input_digest|microseconds)":(?:"[^"\\]*"|null|\d+)')
"""Never within a text: there each quotation mark has a backslash before it."""
_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_LAST_TIME = re.compile(rb',"time":"[^"\\]*","version":1}\Z')


def decision_from_document(document: dict[str, Any]) -> Decision:
    """The inverse of `decision_document`, and of nothing else. Raises ValueError for a document that function did not write."""
    try:
        decision = _decision(document)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"expected a whole decision, found one that is not: {problem!r}") from problem
    if decision.outcome.value != document.get("outcome"):
        raise ValueError(f"decision {decision.id} says '{document.get('outcome')}' but its findings come to '{decision.outcome}'")
    if decision_document(decision) != document:
        raise ValueError(f"decision {decision.id} is written in a way it would not be written again")
    return decision


def _decision(document: dict[str, Any]) -> Decision:
    change = document["change"]
    return Decision(
        id=DecisionId(document["id"]),
        at=_time(document["at"]),
        action=Action(document["action"]),
        subject=document["subject"],
        change=None if change is None else ChangeRef(**change),
        workflow=document["workflow"],
        verdict=_verdict(document),
        bundles=tuple(BundleId(name=b["name"], revision=b["revision"], digest=Digest(b["digest"])) for b in document["bundles"]),
        engine=EngineInfo(**document["engine"]),
        generation=document["generation"],
        facts=FactsOrigin(document["facts"]),
        input_digest=Digest(document["input_digest"]),
        relations=tuple(
            (Question(user=r["user"], relation=r["relation"], object=r["object"]), bool(r["related"])) for r in document["relations"]
        ),
        relations_model=document.get("relations_model"),
        policies_commit=document["policies_commit"],
        microseconds=int(document["microseconds"]),
        override=override_from_document(document["override"]),
        confirmed_at=_time(document["confirmed_at"]) if document["confirmed_at"] else None,
    )


def _verdict(document: dict[str, Any]) -> Verdict:
    return Verdict(
        violations=tuple(
            Violation(
                policy=_policy_id(v["policy"]),
                message=v["message"],
                remedy=v["remedy"],
                location=_location_from(v["location"]),
                who=Who(**v["who"]) if v["who"] else None,
            )
            for v in document["violations"]
        ),
        faults=tuple(
            Fault(reason=Reason(f["reason"]), message=f["message"], policy=_policy_id(f["policy"]) if f["policy"] else None)
            for f in document["faults"]
        ),
        holds=tuple(
            Hold(
                policy=_policy_id(h["policy"]),
                message=h["message"],
                relation=h["relation"],
                object=h["object"],
                count=h["count"],
                expires_at=_time(h["expires_at"]) if h["expires_at"] else None,
            )
            for h in document["holds"]
        ),
        released=tuple(
            Release(policy=_policy_id(r["policy"]), message=r["message"], relation=r["relation"], object=r["object"], by=tuple(r["by"]))
            for r in document.get("released", ())
        ),
        warnings=tuple(
            Warning(policy=_policy_id(w["policy"]), message=w["message"], remedy=w["remedy"], location=_location_from(w["location"]))
            for w in document["warnings"]
        ),
        dryrun=tuple(
            ShadowResult(policy=_policy_id(s["policy"]), would=Would(s["would"]), message=s["message"]) for s in document["dryrun"]
        ),
        policies=tuple(
            PolicyResult(
                policy=PolicyId(bundle=p["bundle"], package=p["package"]),
                enforcement=Enforcement(p["enforcement"]),
                outcome=Outcome(p["outcome"]),
                message=p["message"],
            )
            for p in document["policies"]
        ),
        valid_until=_time(document["valid_until"]) if document["valid_until"] else None,
    )


def _violation(violation: Violation) -> dict[str, Json]:
    return {
        "policy": _policy(violation.policy),
        "message": violation.message,
        "remedy": violation.remedy,
        "location": _location(violation.location),
        "who": {"relation": violation.who.relation, "object": violation.who.object} if violation.who else None,
    }


def _policy(policy: PolicyId) -> Json:
    return {"bundle": policy.bundle, "package": policy.package}


def _policy_id(document: dict[str, str]) -> PolicyId:
    return PolicyId(bundle=document["bundle"], package=document["package"])


def _location(location: Location | None) -> Json:
    return {"path": location.path, "line": location.line} if location else None


def _location_from(document: dict[str, Any] | None) -> Location | None:
    return Location(path=document["path"], line=document["line"]) if document else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@value
class Generation:
    """Which bundles are in force together. Numbers count from 1 and never repeat.

    by_file: names of those that admit.yaml brought, sorted; the others were published.
    enforcement: what somebody has set for single policies in place of what their manifest says, by policy.
    """

    number: int
    activated_at: datetime
    bundles: tuple[BundleId, ...]
    by: str
    by_file: tuple[str, ...] = ()
    enforcement: tuple[tuple[PolicyId, Enforcement], ...] = ()

    def bundle(self, name: str) -> BundleId | None:
        """The bundle of that name, if it is in force."""
        return next((bundle for bundle in self.bundles if bundle.name == name), None)


@value
class TrackedChange:
    """What the gateway last knew of a change, and the decision in force for it. updated_at: the forge's own.

    override: the last one given for this head and target branch; it may have ended since.
    """

    ref: ChangeRef
    state: str
    decision_id: DecisionId | None
    outcome: Outcome | None
    updated_at: datetime
    draft: bool = False
    reasons: tuple[str, ...] = field(default=())
    override: Override | None = None


def carried_over(known: TrackedChange | None, now: TrackedChange) -> TrackedChange:
    """`now` with the decision that is known, which is good for one head and one target branch and for no other."""
    if known is None or (known.ref.head_sha, known.ref.target_branch) != (now.ref.head_sha, now.ref.target_branch):
        return replace(now, decision_id=None, outcome=None, override=None)
    return replace(now, decision_id=known.decision_id, outcome=known.outcome, reasons=known.reasons, override=known.override)


def decided(known: TrackedChange | None, now: TrackedChange, decision: Decision) -> TrackedChange:
    """`now` with this decision, and with the override that is known, as far as that is good for it."""
    return replace(carried_over(known, now), decision_id=decision.id, outcome=decision.outcome, reasons=now.reasons)
