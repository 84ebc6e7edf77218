"""Verify and read a webhook delivery of GitLab. Pure: headers and bytes in, an event out, or a refusal.

Two ways of trust, told apart by the configured secret. A signing token (`whsec_…`) signs by Standard Webhooks: `webhook-id`,
`webhook-timestamp` and `webhook-signature`. Any other secret is sent in clear in `X-Gitlab-Token`. A delivery that carries a
signature has to be rightly signed: the secret in clear beside it does not save a wrong one, and a signing token in clear is
never accepted. https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from providers.vcs.documents import Document, UnexpectedShape, document, parsed
from providers.vcs.gitlab.facts import OWN_CONTEXTS
from providers.vcs.gitlab.trains import number_on_train
from providers.vcs.port import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    DeliveryRefused,
    Event,
    IgnoredEvent,
    MembersEvent,
    MergeGroup,
    MergeGroupEvent,
    ParsedDelivery,
    Refusal,
    StatusEvent,
)
from providers.vcs.signatures import STANDARD_PREFIX, is_one_of, signed_by_standard

_BRANCH = "refs/heads/"
_IDS = ("webhook-id", "idempotency-key", "x-gitlab-event-uuid")
"""What names a delivery, best first: the first two stay the same when GitLab tries again."""
_OWN_STATES = {"success": "success", "failed": "failure", "pending": "pending", "running": "pending", "canceled": "error"}
_MEMBERS = ("user_add_to_", "user_update_for_", "user_remove_from_", "user_access_request_")


def parse_delivery(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ParsedDelivery:
    """The event of a delivery that one of the secrets vouches for. Raises DeliveryRefused."""
    lower = {name.lower(): value for name, value in headers.items()}
    _check_trusted(lower, body, secrets)
    id = next((lower[name] for name in _IDS if lower.get(name)), "")
    kind = lower.get("x-gitlab-event", "")
    if not id or not kind:
        raise DeliveryRefused(Refusal.MALFORMED, f"expected X-Gitlab-Event and one of {', '.join(_IDS)}, found one of them missing")
    try:
        return ParsedDelivery(id=id, event=_event(kind, document(parsed(body, f"delivery '{kind}'"), f"delivery '{kind}'")))
    except UnexpectedShape as problem:
        raise DeliveryRefused(Refusal.MALFORMED, str(problem)) from problem


def _check_trusted(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    if not any(secrets):
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "no webhook secret is configured for this connection, so nothing can be trusted")
    if "webhook-signature" in headers:
        id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not id or not timestamp or not signed_by_standard(secrets, id, timestamp, body, headers["webhook-signature"]):
            raise DeliveryRefused(
                Refusal.SIGNATURE_WRONG, "webhook-signature does not fit the body and any of the configured signing tokens"
            )
        return
    given = headers.get("x-gitlab-token", "")
    if not given:
        raise DeliveryRefused(Refusal.SIGNATURE_MISSING, "expected webhook-signature or X-Gitlab-Token, found none: set the hook's secret")
    if not is_one_of([secret for secret in secrets if not secret.startswith(STANDARD_PREFIX)], given):
        raise DeliveryRefused(Refusal.SIGNATURE_WRONG, "X-Gitlab-Token is none of the configured secrets")


def _event(kind: str, payload: Document) -> Event:
    match kind:
        case "Merge Request Hook":
            return _changed(payload)
        case "Note Hook":
            return _commented(payload)
        case "Push Hook":
            return _pushed(payload)
        case "Pipeline Hook":
            return _pipeline(payload)
        case "Job Hook":
            return _job(payload)
        case "Member Hook" | "Subgroup Hook" | "System Hook":
            return _members(payload)
    return IgnoredEvent(what=_named(kind))


def _changed(payload: Document) -> Event:
    about = payload.document("object_attributes")
    return ChangeEvent(
        key=ChangeKey(repository=_repository(payload), number=about.number("iid")),
        what=f"merge_request.{about.text_or_none('action') or 'changed'}",
        head_sha=_head(about),
        updated_at=_time(about, "updated_at"),
        by=_by(payload),
    )


def _commented(payload: Document) -> Event:
    note = payload.document("object_attributes")
    if note.text("noteable_type") != "MergeRequest":
        return IgnoredEvent(what="note")
    about = payload.document("merge_request")
    return ChangeEvent(
        key=ChangeKey(repository=_repository(payload), number=about.number("iid")),
        what=f"note.{note.text_or_none('action') or 'create'}",
        head_sha=_head(about),
        updated_at=_time(about, "updated_at"),
        by=_by(payload),
    )


def _pushed(payload: Document) -> Event:
    ref, after = payload.text("ref"), payload.text("after")
    if not ref.startswith(_BRANCH):
        return IgnoredEvent(what="push.other")
    return BranchEvent(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        branch=ref.removeprefix(_BRANCH),
        sha=after if after.strip("0") else None,
        what="push",
    )


def _pipeline(payload: Document) -> Event:
    """One that holds nothing but statuses of the gateway's name is told as the newest of these: by itself it says nothing new."""
    about = payload.document("object_attributes")
    if number_on_train(about.text_or_none("ref") or "") is not None and "merge_request" in payload.fields:
        return _train(payload, about)
    builds = payload.documents("builds") if "builds" in payload.fields else ()
    context, state = "pipeline", about.text("status")
    if builds and all(build.text("name").startswith(OWN_CONTEXTS) for build in builds):
        newest = max(builds, key=lambda build: build.number("id"))
        context, state = newest.text("name"), _OWN_STATES.get(newest.text("status"), newest.text("status"))
    return _status(payload, sha=about.text("sha"), context=context, state=state, kind="pipeline")


def _train(payload: Document, about: Document) -> Event:
    """A merge train's pipeline waits for the gateway as for any other job, until it has ended."""
    group = MergeGroup(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        branch=payload.document("merge_request").text("target_branch"),
        base_sha=about.text_or_none("before_sha") or "",
        head_sha=about.text("sha"),
        ref=about.text("ref"),
    )
    said = about.text("status")
    return MergeGroupEvent(group=group, ended=said in ("success", "failed", "canceled", "skipped"), what=f"train.{said}")


def _job(payload: Document) -> Event:
    if "project" not in payload.fields:
        return IgnoredEvent(what="job")  # older servers do not say of which project; the pipeline's delivery does
    name, said = payload.text("build_name"), payload.text("build_status")
    state = _OWN_STATES.get(said, said) if name.startswith(OWN_CONTEXTS) else said
    return _status(payload, sha=payload.text("sha"), context=name, state=state, kind="job")


def _status(payload: Document, *, sha: str, context: str, state: str, kind: str) -> StatusEvent:
    return StatusEvent(
        repository_id=_repository_id(payload),
        repository=_repository(payload),
        sha=sha,
        context=context,
        by=_by(payload),
        what=f"{kind}.{state}",
        state=state,
    )


def _members(payload: Document) -> Event:
    """Groups are named without those above them, so that only a new or gone subgroup tells which organisation it is."""
    name = payload.text_or_none("event_name") or "unknown"
    if name.startswith("subgroup_"):
        return MembersEvent(organization=payload.text("full_path").partition("/")[0], repository=None, what=name)
    if not name.startswith(_MEMBERS):
        return IgnoredEvent(what=name)
    return MembersEvent(organization=None, repository=payload.text_or_none("project_path_with_namespace"), what=name)


def _repository(payload: Document) -> str:
    return payload.document("project").text("path_with_namespace")


def _repository_id(payload: Document) -> str:
    return str(payload.document("project").number("id"))


def _by(payload: Document) -> str | None:
    user = payload.document_or_none("user")
    return user.text_or_none("username") if user is not None else payload.text_or_none("user_username")


def _head(about: Document) -> str | None:
    commit = about.document_or_none("last_commit")
    return commit.text_or_none("id") if commit is not None else None


def _time(about: Document, name: str) -> datetime:
    """Deliveries write times as `2026-11-24 20:37:44 UTC`, or as the API does."""
    said = about.text(name)
    if not said.endswith(" UTC"):
        return about.time(name)
    try:
        return datetime.strptime(said, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError as problem:
        raise UnexpectedShape(f"{about.where}: expected a time in '{name}', found {said[:40]!r}") from problem


def _named(kind: str) -> str:
    """`Wiki Page Hook` → `wiki_page`: the sender's word, made harmless."""
    return "_".join(word for word in kind.lower().removesuffix(" hook").split() if word.isalnum())[:60] or "unknown"
