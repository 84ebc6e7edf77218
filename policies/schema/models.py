"""The input document, version 1, as pydantic models: what a policy reads as `input`.

Field names and nullability are those of `providers.vcs.model`; `null` means "this forge cannot say" and is
allowed exactly where a field says so. A field with a default may be missing in a document handed in and is
filled in, so that a policy always finds every name. The JSON Schema authors write against comes from these
models: what is promised and what is accepted cannot drift apart.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, WithJsonSchema


def _moment(text: str) -> str:
    if "T" not in text.upper() or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("not a time with a zone")
    return text


Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 with a zone, as text: facts stay JSON."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Actor(_Strict):
    id: str
    login: str
    kind: Literal["user", "bot", "ghost"]
    ref: str


class Repository(_Strict):
    id: str
    name: str
    ref: str


class Head(_Strict):
    ref: str
    sha: str
    repository: str | None
    fork: bool


class Base(_Strict):
    ref: str
    sha: str
    protected: bool | None = None


class Stack(_Strict):
    id: str
    position: int
    size: int
    base: Base


class ChangedFile(_Strict):
    path: str
    status: Literal["added", "removed", "modified", "renamed", "copied"]
    previous_path: str | None = None
    additions: int | None = None
    deletions: int | None = None


class Signature(_Strict):
    name: str
    email: str
    actor: Actor | None = None


class Commit(_Strict):
    sha: str
    message: str
    author: Signature
    committer: Signature
    verified: bool | None
    parents: list[str]
    via_web: bool | None = None
    first_seen_at: Moment | None = None


class Review(_Strict):
    user: Actor
    state: Literal["approved", "changes_requested", "commented"]
    commit_sha: str | None
    submitted_at: Moment | None
    dismissed: bool


class Check(_Strict):
    name: str
    state: Literal["pending", "completed"]
    conclusion: (
        Literal["success", "failure", "error", "skipped", "neutral", "warning", "cancelled", "timed_out", "action_required", "stale"] | None
    )
    source: str | None
    sha: str
    url: str | None = None


class Comment(_Strict):
    user: Actor
    body: str
    created_at: Moment
    edited: bool | None


class Thread(_Strict):
    resolved: bool | None
    path: str | None


class Change(_Strict):
    connection: str
    forge: str
    repository: Repository
    number: int
    url: str
    title: str
    body: str
    author: Actor
    labels: list[str]
    draft: bool
    state: Literal["open", "closed", "merged"]
    head: Head
    base: Base
    stack: Stack | None
    mergeable: bool | None
    files: list[ChangedFile]
    commits: list[Commit]
    reviews: list[Review]
    requested_reviewers: list[Actor]
    checks: list[Check]
    comments: list[Comment] | None
    threads: list[Thread] | None
    dependencies: list[str] | None
    created_at: Moment
    updated_at: Moment


class WorkflowSource(_Strict):
    repository: str
    ref: str
    sha: str


class Workflow(_Strict):
    name: str
    target: str
    input: JsonValue
    labels: dict[str, str]
    source: WorkflowSource | None


class InputDocument(_Strict):
    """What a policy reads as `input`: one of `change` and `workflow` is there."""

    version: Literal[1]
    action: Literal["merge", "submit"]
    subject: Actor
    time: Moment
    parameters: dict[str, JsonValue]
    relations: dict[str, dict[str, dict[str, bool]]]
    change: Change | None = None
    workflow: Workflow | None = None
