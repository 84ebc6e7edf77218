"""How storage's smaller values are written down and read back; decisions have their own form in `gateway.domain.record`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.domain.audit import AuditEvent
from gateway.domain.delivery import Delivery
from gateway.domain.record import ChangeRef, DecisionId, Generation, TrackedChange, override_document, override_from_document
from gateway.storage.port import BundleRevision, PostedReport, StoredToken
from policies.canonical import canonical, digest
from policies.model import BundleId, Digest, Enforcement, Json, Outcome, PolicyId, rfc3339


def generation_document(generation: Generation) -> dict[str, Json]:
    return {
        "number": generation.number,
        "activated_at": rfc3339(generation.activated_at),
        "bundles": [{"name": b.name, "revision": b.revision, "digest": b.digest} for b in generation.bundles],
        "by": generation.by,
        "by_file": list(generation.by_file),
        "enforcement": [
            {"bundle": policy.bundle, "package": policy.package, "enforcement": enforcement.value}
            for policy, enforcement in generation.enforcement
        ],
    }


GENERATION_DIGEST = "generation_digest"
"""Where the audit event that brings a generation into force seals it."""


def generation_digest(generation: Generation) -> Digest:
    """Of everything that is kept of it."""
    return digest("generation", canonical(generation_document(generation)))


def generation_from_document(document: dict[str, Any]) -> Generation:
    return Generation(
        number=document["number"],
        activated_at=_time(document["activated_at"]),
        bundles=tuple(BundleId(name=b["name"], revision=b["revision"], digest=Digest(b["digest"])) for b in document["bundles"]),
        by=document["by"],
        by_file=tuple(document["by_file"]),
        enforcement=tuple(
            (PolicyId(bundle=each["bundle"], package=each["package"]), Enforcement(each["enforcement"])) for each in document["enforcement"]
        ),
    )


def revision_document(revision: BundleRevision) -> dict[str, Json]:
    bundle = revision.bundle
    return {
        "name": bundle.name,
        "revision": bundle.revision,
        "digest": bundle.digest,
        "at": rfc3339(revision.at),
        "by": revision.by,
        "generation": revision.generation,
    }


def revision_from_document(document: dict[str, Any]) -> BundleRevision:
    return BundleRevision(
        bundle=BundleId(name=document["name"], revision=document["revision"], digest=Digest(document["digest"])),
        at=_time(document["at"]),
        by=document["by"],
        generation=document["generation"],
    )


def event_document(event: AuditEvent) -> dict[str, Json]:
    return {"at": rfc3339(event.at), "who": event.who, "what": event.what, "about": event.about, "details": dict(event.details)}


def event_from_document(document: dict[str, Any]) -> AuditEvent:
    return AuditEvent(**{**document, "at": _time(document["at"])})


def change_document(change: TrackedChange) -> dict[str, Json]:
    return {
        "ref": asdict(change.ref),
        "state": change.state,
        "decision_id": change.decision_id,
        "outcome": change.outcome.value if change.outcome else None,
        "updated_at": rfc3339(change.updated_at),
        "draft": change.draft,
        "reasons": list(change.reasons),
        **({"override": override_document(change.override)} if change.override is not None else {}),
    }


def change_from_document(document: dict[str, Any]) -> TrackedChange:
    return TrackedChange(
        ref=ChangeRef(**document["ref"]),
        state=document["state"],
        decision_id=DecisionId(document["decision_id"]) if document["decision_id"] is not None else None,
        outcome=Outcome(document["outcome"]) if document["outcome"] is not None else None,
        updated_at=_time(document["updated_at"]),
        draft=document["draft"],
        reasons=tuple(document["reasons"]),
        override=override_from_document(document.get("override")),
    )


def report_document(report: PostedReport) -> dict[str, Json]:
    return {**asdict(report), "posted_at": rfc3339(report.posted_at)}


def report_from_document(document: dict[str, Any]) -> PostedReport:
    return PostedReport(**{**document, "posted_at": _time(document["posted_at"])})


def token_document(token: StoredToken) -> dict[str, Json]:
    return {
        "name": token.name,
        "hash": token.hash,
        "scopes": list(token.scopes),
        "created_at": rfc3339(token.created_at),
        "expires_at": rfc3339(token.expires_at) if token.expires_at else None,
        "actor": token.actor,
        "revoked_at": rfc3339(token.revoked_at) if token.revoked_at else None,
    }


def token_from_document(document: dict[str, Any]) -> StoredToken:
    return StoredToken(
        name=document["name"],
        hash=document["hash"],
        scopes=tuple(document["scopes"]),
        created_at=_time(document["created_at"]),
        expires_at=_time(document["expires_at"]) if document["expires_at"] else None,
        # tokens kept before there were these two had neither
        actor=document.get("actor"),
        revoked_at=_time(document["revoked_at"]) if document.get("revoked_at") else None,
    )


def delivery_document(delivery: Delivery) -> dict[str, Json]:
    """Without its body, which is a blob."""
    return {
        "connection": delivery.connection,
        "id": delivery.id,
        "received_at": rfc3339(delivery.received_at),
        "headers": dict(delivery.headers),
        "what": delivery.what,
    }


def delivery_from_document(document: dict[str, Any], body: bytes) -> Delivery:
    return Delivery(**{**document, "received_at": _time(document["received_at"])}, body=body)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
