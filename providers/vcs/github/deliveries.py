"""Verify and read a webhook delivery of GitHub. Pure: headers and bytes in, an event out, or a refusal.

`X-Hub-Signature-256` is `sha256=` and the hex HMAC-SHA256 of the raw body, also where the hook sends a form; the older
`X-Hub-Signature` (SHA-1) proves nothing here. Which event it is says `X-GitHub-Event`; headers of other forges are not
looked at, so none of them can lead round the signature.
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

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
from providers.vcs.signatures import signed_by_one_of

_BRANCH = "refs/heads/"
_SCHEME = "sha256="
_OF_A_PULL = frozenset({"pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"})
_OF_AN_ORGANIZATION = frozenset({"membership", "organization", "team"})
_OF_A_REPOSITORY = frozenset({"member", "team_add"})
_ASKED_AGAIN = frozenset({"rerequested", "requested_action"})
_TOUCHES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("pull_request.labeled", "pull_request.unlabeled"), frozenset({"labels"})),
    **dict.fromkeys(("pull_request.assigned", "pull_request.unassigned"), frozenset()),
    **dict.fromkeys(("pull_request.milestoned", "pull_request.demilestoned"), frozenset()),
    **dict.fromkeys(("issue_comment.created", "issue_comment.edited", "issue_comment.deleted"), frozenset({"comments"})),
    "pull_request.review_requested": frozenset({"requested_reviewers"}),
    "status": frozenset({"checks"}),
    **dict.fromkeys(("check_run.created", "check_run.completed"), frozenset({"checks"})),
}
"""What an event can have altered of a change. Those that are not here may have altered anything."""


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ParsedDelivery:
    """The event of a delivery one of the secrets signed. Raises DeliveryRefused."""
    lower = {name.lower(): value for name, value in headers.items()}
    _check_signature(lower.get("x-hub-signature-256", ""), body, secrets)
    kind, delivery = lower.get("x-github-event"), lower.get("x-github-delivery")
    if not kind or not delivery:
        raise DeliveryRefused(Refusal.MALFORMED, "expected X-GitHub-Event and X-GitHub-Delivery, found none")
    where = f"delivery '{kind}'"
    try:
        event = _event(kind, document(parsed(_json(lower, body, where), where), where))
    except UnexpectedShape as problem:
        raise DeliveryRefused(Refusal.MALFORMED, str(problem)) from problem
    return ParsedDelivery(id=delivery, event=event, touches=_TOUCHES.get(event.what))


def _check_signature(signature: str, body: bytes, secrets: Sequence[str]) -> None:
    if not any(secrets):
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "no webhook secret is configured for this connection, so nothing can be trusted")
    if not signature or signature == _SCHEME:
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "expected X-Hub-Signature-256, found none or an empty one: set the hook's secret")
    if not signature.startswith(_SCHEME) or not signed_by_one_of(secrets, body, signature.removeprefix(_SCHEME)):
        raise DeliveryRefused(Refusal.SIGNATURE_WRONG, "X-Hub-Signature-256 does not fit the body and any of the configured secrets")


def _json(headers: Mapping[str, str], body: bytes, where: str) -> bytes:
    """The JSON text: the body, or what stands in a form's `payload`."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return body
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=4)
    except ValueError as problem:
        raise UnexpectedShape(f"{where}: expected a form, found something else ({len(body)} bytes)") from problem
    if len(fields.get("payload", [])) != 1:
        raise UnexpectedShape(f"{where}: expected one 'payload' in the form")
    return fields["payload"][0].encode()


def _event(kind: str, payload: Document) -> Event:
    what = _what(kind, payload)
    action = payload.text_or_none("action")
    match kind:
        case _ if kind in _OF_A_PULL:
            return _changed(what, payload, payload.document("pull_request"))
        case "issue_comment" if payload.document("issue").document_or_none("pull_request") is not None:
            return _commented(what, payload, payload.document("issue"))
        case "status":
            return _reported(what, payload, payload.text("sha"), payload.text("context"), payload.text("state"))
        case "check_run" | "check_suite" if action in _ASKED_AGAIN:
            return _asked_again(what, payload, payload.document(kind).text("head_sha"))
        case "check_run":
            run = payload.document("check_run")
            return _reported(what, payload, run.text("head_sha"), run.text("name"), _state_of_run(run))
        case "push":
            sha = None if payload.flag("deleted") else payload.text("after")
            return _moved(what, payload, payload.text("ref"), sha)
        case "delete" if payload.text("ref_type") == "branch":
            return _moved(what, payload, _BRANCH + payload.text("ref"), None)
        case "merge_group":
            return MergeGroupEvent(group=_group(payload), ended=action == "destroyed", what=what)
        case _ if kind in _OF_AN_ORGANIZATION:
            return MembersEvent(organization=payload.document("organization").text("login"), repository=None, what=what)
        case _ if kind in _OF_A_REPOSITORY:
            return MembersEvent(organization=None, repository=_repository(payload), what=what)
    return IgnoredEvent(what=what)


def _changed(what: str, payload: Document, pull: Document) -> ChangeEvent:
    return ChangeEvent(
        key=ChangeKey(repository=_repository(payload), number=pull.number("number")),
        what=what,
        head_sha=pull.document("head").text("sha"),
        updated_at=pull.time("updated_at"),
        by=_sender(payload),
    )


def _commented(what: str, payload: Document, issue: Document) -> ChangeEvent:
    key = ChangeKey(repository=_repository(payload), number=issue.number("number"))
    return ChangeEvent(key=key, what=what, updated_at=issue.time("updated_at"), by=_sender(payload))


def _reported(what: str, payload: Document, sha: str, context: str, state: str) -> StatusEvent:
    return StatusEvent(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        sha=sha,
        context=context,
        by=_sender(payload),
        what=what,
        state=state,
    )


def _asked_again(what: str, payload: Document, sha: str) -> HeadEvent:
    return HeadEvent(repository_id=_repository_id(payload), repository=_repository(payload), sha=sha, what=what, by=_sender(payload))


def _moved(what: str, payload: Document, ref: str, sha: str | None) -> Event:
    if not ref.startswith(_BRANCH):
        return IgnoredEvent(what=f"{what}.tag")
    return BranchEvent(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        branch=ref.removeprefix(_BRANCH),
        sha=sha,
        what=what,
    )


def _group(payload: Document) -> MergeGroup:
    group = payload.document("merge_group")
    return MergeGroup(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        branch=group.text("base_ref").removeprefix(_BRANCH),
        base_sha=group.text("base_sha"),
        head_sha=group.text("head_sha"),
        ref=group.text("head_ref").removeprefix(_BRANCH),
    )


def _state_of_run(run: Document) -> str:
    """What a check run says, in the words a status has; a conclusion no status knows keeps its own."""
    conclusion = run.text_or_none("conclusion")
    if run.text("status") != "completed" or conclusion is None:
        return "pending"
    return "error" if conclusion == "action_required" else conclusion


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
