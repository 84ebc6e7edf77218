"""Verify and read a webhook delivery of Gitea or Forgejo. Pure: headers and bytes in, an event out, or a refusal.

`X-Gitea-Signature` is the bare hex HMAC-SHA256 of the JSON text: of the raw body, or, when the hook sends a form, of the
decoded `payload`. A delivery also carries GitHub's and Gogs' headers; they are not looked at. What happened is told by
`X-Gitea-Event-Type` (`X-Gitea-Event` says `pull_request` for a push, a label and a review request alike).
https://docs.gitea.com/usage/webhooks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus, unquote_plus

from providers.vcs.documents import Document, UnexpectedShape, document, parsed
from providers.vcs.port import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    DeliveryRefused,
    Event,
    IgnoredEvent,
    ParsedDelivery,
    Refusal,
    StatusEvent,
)
from providers.vcs.signatures import signed_by_one_of

_BRANCH = "refs/heads/"
_TALK = frozenset({"comments", "reviews", "threads"})
_TOUCHES: Mapping[str, frozenset[str]] = {
    "issue_comment": _TALK,  # deleting what was said to a line of code is told so too
    "pull_request_assign": frozenset(),
    "pull_request_comment": _TALK,
    "pull_request_label": frozenset({"labels"}),
    "pull_request_milestone": frozenset(),
    "pull_request_review_request": frozenset({"requested_reviewers", "reviews"}),
    "status": frozenset({"checks"}),
}
"""By the kind of event: what it can have altered of a change. Kinds that are not here may have altered anything."""


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ParsedDelivery:
    """The event of a delivery one of the secrets signed. Raises DeliveryRefused."""
    lower = {name.lower(): value for name, value in headers.items()}
    payload = _signed_payload(lower, body, secrets)
    kind = _header(lower, "event-type") or _header(lower, "event")
    delivery = _header(lower, "delivery")
    if not kind or not delivery:
        raise DeliveryRefused(Refusal.MALFORMED, "expected X-Gitea-Event-Type and X-Gitea-Delivery, found none")
    try:
        event = _event(kind, document(parsed(payload, f"delivery '{kind}'"), f"delivery '{kind}'"))
    except UnexpectedShape as problem:
        raise DeliveryRefused(Refusal.MALFORMED, str(problem)) from problem
    return ParsedDelivery(id=delivery, event=event, touches=_TOUCHES.get(kind))


def _signed_payload(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bytes:
    """The JSON text, once its signature is verified."""
    if not any(secrets):
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "no webhook secret is configured for this connection, so nothing can be trusted")
    signature = _header(headers, "signature")
    if not signature:
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "expected X-Gitea-Signature, found none or an empty one: set the hook's secret")
    form = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    payload = _form_payload(body) if form else body
    if payload is None or not signed_by_one_of(secrets, payload, signature):
        raise DeliveryRefused(Refusal.SIGNATURE_WRONG, "X-Gitea-Signature does not fit the body and any of the configured secrets")
    return payload


def _form_payload(body: bytes) -> bytes | None:
    """The decoded `payload`, if the form is written exactly as Gitea writes it, so that no other bytes mean the same."""
    try:
        text = body.decode("ascii")
        payload = unquote_plus(text.removeprefix("payload="), errors="strict")
    except UnicodeDecodeError:
        return None
    return payload.encode() if text == f"payload={quote_plus(payload)}" else None


def _header(headers: Mapping[str, str], name: str) -> str:
    """Forgejo sends its own name beside Gitea's."""
    return headers.get(f"x-gitea-{name}") or headers.get(f"x-forgejo-{name}") or ""


def _event(kind: str, payload: Document) -> Event:
    match kind:
        case "status":
            return StatusEvent(
                repository_id=_repository_id(payload),
                repository=_repository(payload),
                sha=payload.text("sha"),
                context=payload.text("context"),
                by=_sender(payload),
                what=f"status.{payload.text('state')}",
                state=payload.text("state"),
            )
        case "push":
            return _pushed(payload)
        case "create" | "delete":
            return _branch(kind, payload)
        case "issue_comment" | "pull_request_comment":
            return _commented(kind, payload)
        case _ if kind == "pull_request" or kind.startswith("pull_request_"):
            return _changed(kind, payload, payload.document("pull_request"))
    return IgnoredEvent(what=_what(kind, payload))


def _changed(kind: str, payload: Document, pull: Document) -> ChangeEvent:
    return ChangeEvent(
        key=ChangeKey(repository=_repository(payload), number=pull.number("number")),
        what=_what(kind, payload),
        head_sha=pull.document("head").text_or_none("sha"),
        updated_at=pull.time("updated_at"),
        by=_sender(payload),
    )


def _commented(kind: str, payload: Document) -> Event:
    if not payload.flag("is_pull"):
        return IgnoredEvent(what=_what(kind, payload))
    issue = payload.document("issue")
    return ChangeEvent(
        key=ChangeKey(repository=_repository(payload), number=issue.number("number")),
        what=_what(kind, payload),
        updated_at=issue.time("updated_at"),
        by=_sender(payload),
    )


def _pushed(payload: Document) -> Event:
    ref, after = payload.text("ref"), payload.text("after")
    if not ref.startswith(_BRANCH):
        return IgnoredEvent(what="push.tag")
    sha = after if after.strip("0") else None
    return _branch_event(payload, branch=ref, sha=sha, what="push")


def _branch(kind: str, payload: Document) -> Event:
    if payload.text("ref_type") != "branch":
        return IgnoredEvent(what=f"{kind}.{payload.text('ref_type')}")
    sha = payload.text("sha") if kind == "create" else None
    return _branch_event(payload, branch=payload.text("ref"), sha=sha, what=kind)


def _branch_event(payload: Document, *, branch: str, sha: str | None, what: str) -> BranchEvent:
    return BranchEvent(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        branch=branch.removeprefix(_BRANCH),
        sha=sha,
        what=what,
    )


def _repository(payload: Document) -> str:
    return payload.document("repository").text("full_name")


def _repository_id(payload: Document) -> str:
    return str(payload.document("repository").number("id"))


def _sender(payload: Document) -> str | None:
    sender = payload.document_or_none("sender")
    return sender.text("login") if sender is not None else None


def _what(kind: str, payload: Document) -> str:
    action = payload.text_or_none("action")
    return f"{kind}.{action}" if action else kind
