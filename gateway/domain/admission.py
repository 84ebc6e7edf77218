"""From what a forge said to the question: a change as the input document policies are written against."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from gateway.domain.record import ChangeRef, TrackedChange
from policies import AdmissionRequest, Approvals, ChangeFacts, Json, JsonObject, rfc3339

if TYPE_CHECKING:
    from providers.vcs import Change

_NOT_FACTS = frozenset({"merged_sha", "merged_by"})
"""What happened after the question was answered: for the bypass watch, not for policies."""


def merge_request(
    change: Change, *, at: datetime, approvals: Approvals | None = None, code_owners: JsonObject | None = None
) -> AdmissionRequest:
    """May this change be merged? The subject is its author."""
    document = change_document(change)
    author = document["author"]
    assert isinstance(author, dict)
    return AdmissionRequest(subject=author, thing=ChangeFacts(document=document), time=at, approvals=approvals, code_owners=code_owners)


def change_document(change: Change) -> dict[str, Json]:
    """The `change` object of the input, field by field under the model's own names; without the facts it was read without."""
    from dataclasses import fields  # a dry run of documents never comes here, and would load it first

    absent = _NOT_FACTS | change.left_out
    return {field.name: _plain(getattr(change, field.name)) for field in fields(change) if field.name not in absent}


def change_ref(change: Change) -> ChangeRef:
    """Which change, and the head and target branch a decision on it is good for."""
    return ChangeRef(
        connection=change.connection,
        repository_id=change.repository.id,
        repository=change.repository.name,
        number=change.number,
        head_sha=change.head.sha,
        target_branch=change.target_branch,
        url=change.url,
        title=shown_title(change.title),
    )


def tracked_change(change: Change) -> TrackedChange:
    """What is known of a change by its facts alone, before there is a decision."""
    return TrackedChange(
        ref=change_ref(change), state=change.state.value, decision_id=None, outcome=None, updated_at=change.updated_at, draft=change.draft
    )


def shown_title(title: str) -> str:
    """A title for the record and for pages: one that is no text (lone surrogates) must not keep a decision from being kept."""
    return title.encode("utf-8", "replace").decode()


def provided_ref(request: AdmissionRequest) -> ChangeRef | None:
    """Which change a provided document says it is about."""
    if not isinstance(request.thing, ChangeFacts):
        return None
    change = request.thing
    document = change.document
    repository, head = document["repository"], document["head"]
    assert isinstance(repository, Mapping)
    assert isinstance(head, Mapping)
    return ChangeRef(
        connection=change.connection,
        repository_id=str(repository["id"]),
        repository=change.repository,
        number=int(str(document["number"])),
        head_sha=str(head["sha"]),
        target_branch=change.target_branch,
        url=str(document["url"]),
        title=str(document["title"]),
    )


def _plain(value: Any) -> Json:
    match value:
        case Enum():
            return str(value.value)
        case datetime():
            return rfc3339(value)
        case tuple():
            return [_plain(item) for item in value]
        case _ if (fields := getattr(value, "__dataclass_fields__", None)) is not None:
            return {name: _plain(getattr(value, name)) for name in fields}
        case None | bool() | int() | float() | str():
            return value
        case other:
            raise TypeError(f"a change holds a {type(other).__name__}, which the input document has no form for")
