"""The memory forge's own webhook format: written, signed and read in one place.

Headers `X-Memory-Delivery`, `X-Memory-Event` and `X-Memory-Signature` (bare hex HMAC-SHA256 of the body); the body is JSON.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from providers.vcs.documents import Document, UnexpectedShape, document, parsed
from providers.vcs.port import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    DeliveryRefused,
    Event,
    HeadEvent,
    IgnoredEvent,
    MembersEvent,
    MergeGroup,
    MergeGroupEvent,
    ParsedDelivery,
    Refusal,
    StatusEvent,
)
from providers.vcs.signatures import sign, signed_by_one_of

_TOUCHES = {
    "change.labeled": frozenset({"labels"}),
    "change.commented": frozenset({"comments"}),
    "change.review_requested": frozenset({"requested_reviewers"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDelivery:
    """A webhook call the forge would make: POST `body` with `headers` to the connection's address."""

    id: str
    what: str
    headers: Mapping[str, str]
    body: bytes


def write_delivery(event: Event, secret: str | None) -> PendingDelivery:
    """The signed delivery of an event; unsigned if the hook has no secret."""
    id = str(uuid.uuid4())
    body = json.dumps(_payload(event), indent=1).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "memory-forge",
        "X-Memory-Delivery": id,
        "X-Memory-Event": event.what,
        "X-Memory-Signature": sign(secret, body) if secret else "",
    }
    return PendingDelivery(id=id, what=event.what, headers=headers, body=body)


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ParsedDelivery:
    """The event of a delivery one of the secrets signed. Raises DeliveryRefused."""
    lower = {name.lower(): value for name, value in headers.items()}
    signature = lower.get("x-memory-signature", "")
    if not signature or not any(secrets):
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "expected X-Memory-Signature and a configured secret, found one of them missing")
    if not signed_by_one_of(secrets, body, signature):
        raise DeliveryRefused(Refusal.SIGNATURE_WRONG, "X-Memory-Signature does not fit the body and any of the configured secrets")
    id = lower.get("x-memory-delivery", "")
    if not id:
        raise DeliveryRefused(Refusal.MALFORMED, "expected X-Memory-Delivery, found none")
    try:
        event = _event(document(parsed(body, "delivery"), "delivery"))
    except UnexpectedShape as problem:
        raise DeliveryRefused(Refusal.MALFORMED, str(problem)) from problem
    touches = frozenset({"checks"}) if isinstance(event, StatusEvent) else _TOUCHES.get(event.what)
    return ParsedDelivery(id=id, event=event, touches=touches)


def _payload(event: Event) -> dict[str, object]:
    match event:
        case ChangeEvent():
            return {
                "kind": "change",
                "what": event.what,
                "repository": {"name": event.key.repository},
                "number": event.key.number,
                "head_sha": event.head_sha,
                "updated_at": event.updated_at.isoformat() if event.updated_at else None,
                "by": event.by,
            }
        case StatusEvent():
            repository = {"id": event.repository_id, "name": event.repository}
            return {
                "kind": "status",
                "what": event.what,
                "repository": repository,
                "sha": event.sha,
                "context": event.context,
                "by": event.by,
                "state": event.state,
            }
        case BranchEvent():
            repository = {"id": event.repository_id, "name": event.repository}
            return {"kind": "branch", "what": event.what, "repository": repository, "branch": event.branch, "sha": event.sha}
        case MembersEvent():
            return {"kind": "members", "what": event.what, "organization": event.organization, "of": event.repository}
        case HeadEvent():
            repository = {"id": event.repository_id, "name": event.repository}
            return {"kind": "head", "what": event.what, "repository": repository, "sha": event.sha, "by": event.by}
        case MergeGroupEvent():
            return {"kind": "merge_group", "what": event.what, "group": asdict(event.group), "ended": event.ended}
        case IgnoredEvent():
            return {"kind": "other", "what": event.what}


def _event(payload: Document) -> Event:
    kind, what = payload.text("kind"), payload.text("what")
    if kind == "change":
        return ChangeEvent(
            key=ChangeKey(repository=payload.document("repository").text("name"), number=payload.number("number")),
            what=what,
            head_sha=payload.text_or_none("head_sha"),
            updated_at=payload.time("updated_at") if payload.text_or_none("updated_at") else None,
            by=payload.text_or_none("by"),
        )
    if kind == "status":
        repository = payload.document("repository")
        return StatusEvent(
            repository_id=repository.text("id"),
            repository=repository.text("name"),
            sha=payload.text("sha"),
            context=payload.text("context"),
            by=payload.text_or_none("by"),
            what=what,
            state=payload.text_or_none("state"),
        )
    if kind == "branch":
        repository = payload.document("repository")
        return BranchEvent(
            repository_id=repository.text("id"),
            repository=repository.text("name"),
            branch=payload.text("branch"),
            sha=payload.text_or_none("sha"),
            what=what,
        )
    if kind == "members":
        return MembersEvent(organization=payload.text_or_none("organization"), repository=payload.text_or_none("of"), what=what)
    if kind == "head":
        repository = payload.document("repository")
        return HeadEvent(
            repository_id=repository.text("id"),
            repository=repository.text("name"),
            sha=payload.text("sha"),
            what=what,
            by=payload.text_or_none("by"),
        )
    if kind == "merge_group":
        group = payload.document("group")
        return MergeGroupEvent(
            group=MergeGroup(**{name: group.text(name) for name in MergeGroup.__dataclass_fields__}),
            ended=payload.flag("ended"),
            what=what,
        )
    return IgnoredEvent(what=what)
