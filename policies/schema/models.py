"""The input document, version 1, as pydantic models: what a policy reads as `input`.

Field names and nullability are those of `providers.vcs.model`; `null` means "this forge cannot say" and is
allowed exactly where a field says so. A field with a default may be missing in a document handed in and is
filled in, so that a policy finds every name it looks at (of facts that are absent: `policies.absent`). The JSON
Schema authors write against comes from these models: what is promised and what is accepted cannot drift apart.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, WithJsonSchema

from policies.schema.moment import is_moment


def _moment(text: str) -> str:
    if not is_moment(text):
        raise ValueError("not a time with a zone")
    return text


Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 with a zone, as text: facts stay JSON."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)


class Actor(_Strict):
    """An account on one forge. A login is not a person: names are reused; compare ref."""

    id: str
    login: str
    kind: Literal["user", "bot", "ghost"]
    """A person, a program, or an account that no longer exists."""
    ref: str
    """user:<connection>/<id>: what relations are asked about."""


class Repository(_Strict):
    id: str
    name: str
    """owner/name, as the forge writes it."""
    ref: str
    """repository:<connection>/<id>: what relations are asked about."""


class Head(_Strict):
    """What is proposed."""

    ref: str
    sha: str
    repository: str | None
    """owner/name; null when the fork was deleted."""
    fork: bool
    """Whether it is another repository than the one merged into."""


class Base(_Strict):
    """Where it would land."""

    ref: str
    sha: str
    """The branch's tip."""
    protected: bool | None = None
    """null: this forge or this token cannot say."""


class Stack(_Strict):
    """A change stacked on others: it finally lands on base."""

    id: str
    position: int
    """Counts from 1 at the bottom."""
    size: int
    base: Base


class ChangedFile(_Strict):
    path: str
    status: Literal["added", "removed", "modified", "renamed", "copied"]
    previous_path: str | None = None
    """Of a renamed or copied file."""
    additions: int | None = None
    deletions: int | None = None


class Signature(_Strict):
    """A name written into a commit by whoever made it: it proves nothing."""

    name: str
    email: str
    actor: Actor | None = None
    """The account the forge matched, if any."""


class Commit(_Strict):
    sha: str
    message: str
    author: Signature
    committer: Signature
    verified: bool | None
    """The forge's word on the signature."""
    parents: list[str]
    via_web: bool | None = None
    """Whether the forge itself made the commit."""
    first_seen_at: Moment | None = None
    """When the gateway first saw it: the date in the commit is whatever its maker wrote."""


class Review(_Strict):
    user: Actor
    state: Literal["approved", "changes_requested", "commented"]
    commit_sha: str | None
    """The commit it was given on; compare with change.head.sha."""
    submitted_at: Moment | None
    dismissed: bool
    """Taken back, by the reviewer or somebody else."""


class Check(_Strict):
    """A status or check on the head, the newest of its name and source; never the gateway's own."""

    name: str
    state: Literal["pending", "completed"]
    conclusion: (
        Literal["success", "failure", "error", "skipped", "neutral", "warning", "cancelled", "timed_out", "action_required", "stale"] | None
    )
    """null while pending."""
    source: str | None
    """Who reported it; null if the forge does not say."""
    sha: str
    url: str | None = None


class Comment(_Strict):
    user: Actor
    body: str
    created_at: Moment
    edited: bool | None
    """null: this forge cannot say."""


class Thread(_Strict):
    """A discussion on the change."""

    resolved: bool | None
    path: str | None
    """The file it is about."""


class Change(_Strict):
    """A proposed merge: a pull request or merge request."""

    connection: str
    """Its connection's name in admit.yaml."""
    forge: str
    """github, gitlab, gitea or memory."""
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
    """null: it stands alone."""
    mergeable: bool | None
    """Whether the forge could merge it without conflict; null: not known yet."""
    files: list[ChangedFile]
    commits: list[Commit]
    """Oldest first."""
    reviews: list[Review]
    """Oldest first."""
    requested_reviewers: list[Actor]
    checks: list[Check]
    comments: list[Comment] | None
    """null: this forge cannot say."""
    threads: list[Thread] | None
    """null: this forge cannot say."""
    dependencies: list[str] | None
    """URLs of changes that have to be merged first; null: this forge cannot say."""
    created_at: Moment
    updated_at: Moment


class SourceAdmission(_Strict):
    """What is on record of the change that brought a commit, as the gateway looked it up."""

    outcome: Literal["admitted", "denied", "held", "undecided"] | None
    """Of the decision in force for it; null: it was never judged."""
    at: Moment | None
    """When that was decided."""
    generation: int | None
    """By which bundles."""
    decision: str | None
    merged: Literal["gate", "override", "bypass"] | None
    """gate: merged while it was admitted; override: under an override; bypass: past both; null: not merged."""
    target_branch: str
    """Where it landed, or would."""


class WorkflowSource(_Strict):
    """Where what runs comes from, as the submitter says; admission is the gateway's own word on it."""

    connection: str | None = None
    """The forge, by its connection's name in admit.yaml; null: not said, or no connection has this repository."""
    repository: str
    """owner/name."""
    ref: str
    """A branch or tag."""
    sha: str
    admission: SourceAdmission | None = None
    """null: nothing is on record of this commit."""


class Approval(_Strict):
    """What one account said to a request that waits for people."""

    user: str
    """user:<connection>/<id>"""
    name: str
    word: Literal["approved", "refused"]
    at: Moment
    until: Moment
    """When it stops to count."""
    reason: str | None = None


class Approvals(_Strict):
    """What people said so far. The gateway counts it for `hold`; a policy has no need to."""

    given: list[Approval]
    """In the order it was said."""
    same_person: str | None
    """The relation between accounts of one human."""


class OwnedPath(_Strict):
    """A rule of CODEOWNERS that covers a changed file: a path object, whose owners are whom the rule names."""

    object: str
    """path:<connection>/<repository id>/<rule>: what relations are asked about."""
    pattern: str
    """As it is written."""
    line: int
    section: str
    """GitLab's; empty elsewhere, and for rules before the first section."""
    approvals: int
    """How many the section asks for; 1 where it does not say."""
    optional: bool
    """Whether the section only asks, and does not require."""
    owners: list[str]
    """user:<connection>/<id>, team:<connection>/<id>#member; none = whom the rule names is nobody known here."""
    files: list[str]
    """The changed files it covers, by their new and their old names."""


class CodeOwnersProblem(_Strict):
    """Something in CODEOWNERS that names nobody."""

    line: int
    column: int
    message: str
    advice: str


class CodeOwners(_Strict):
    """Who looks after the changed files, by the CODEOWNERS at the tip of the target branch."""

    commit: str
    """That tip."""
    file: str | None
    """Where it lies; null: there is none, and nobody looks after anything."""
    digest: str | None
    """Of its text."""
    paths: list[OwnedPath]
    """In the file's order. A changed file in none of them has no owners."""
    problems: list[CodeOwnersProblem]


class Workflow(_Strict):
    """A workflow someone asks to run."""

    name: str
    target: str
    """Where it would run: a target's name in admit.yaml."""
    input: JsonValue
    """What it would be given: any JSON."""
    labels: dict[str, str]
    source: WorkflowSource | None
    """Where what runs comes from, if that is known."""


class InputDocument(_Strict):
    """What a policy reads as `input`: one of `change` and `workflow` is there."""

    version: Literal[1]
    action: Literal["merge", "submit"]
    subject: Actor
    """Who asks."""
    time: Moment
    """The judgement's clock; time.now_ns() answers the same."""
    parameters: dict[str, JsonValue]
    """This policy's own, from bundle.yaml."""
    relations: dict[str, dict[str, dict[str, bool]]]
    """Answers to this policy's questions: relations[object][relation][user]; use admit.related."""
    change: Change | None = None
    """There when action is merge."""
    workflow: Workflow | None = None
    """There when action is submit."""
    approvals: Approvals | None = None
    """There when people have approved or refused it."""
    code_owners: CodeOwners | None = None
    """There when action is merge and a policy in force may look at code_owners."""
