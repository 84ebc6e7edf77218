"""The port to forges: deliveries in, facts out, statuses back.

An adapter translates and nothing else. Ask what a forge *can* (`capabilities`), not which it is.
Every method that reaches out has a timeout of its own and raises only `providers.errors`
(TemporaryError: retry may help; PermanentError: it will not); a delivery that is refused raises DeliveryRefused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol, TypeAlias

from providers.vcs.membership import Organization, OrganizationMembers, RepositoryMembers
from providers.vcs.model import Change, ChangeState, Repository

Sha = NewType("Sha", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKey:
    """Which change of a connection. `repository` is the `owner/name` it is known by now; `repository_id` never changes."""

    repository: str
    number: int


class Capability(StrEnum):
    """What a forge can do beyond the port's minimum."""

    NAMED_STATUS_REQUIRED = "named_status_required"
    """A status of a certain name can be made a condition of merging."""
    MERGE_QUEUE = "merge_queue"
    EXPECTED_SOURCE = "expected_source"
    """The forge can insist on who reports a status; without it `reported` must be watched for forgeries."""
    REDELIVERY = "redelivery"
    """Missed deliveries can be asked for again."""
    MEMBERSHIP = "membership"
    """Who belongs to organisations, teams and repositories can be asked for: `members` and `teams`."""


class CodeOwnersDialect(StrEnum):
    """How a forge reads a CODEOWNERS file (`providers.vcs.code_owners`)."""

    GITHUB = "github"
    """Globs; the last rule that matches a file counts."""
    GITLAB = "gitlab"
    """Globs in sections; of each section the last rule that matches counts, and an exclusion is final."""
    GITEA = "gitea"
    """Regular expressions; every rule that matches counts."""


# --- deliveries -----------------------------------------------------------------------


class Refusal(StrEnum):
    """Why a delivery is not trusted. The first two are 401 whatever the body holds, the last is 400."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    MALFORMED = "malformed"


class DeliveryRefused(Exception):
    """A delivery that is not trusted or cannot be read; nothing of it may be stored as trusted."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent:
    """Something happened to this change. The payload is a hint: facts are read from the forge at judgement time.

    head_sha, updated_at: lower bounds the facts must reach (a replica may lag); None = the payload has none.
    what: the forge's own words, `pull_request.synchronized`, for the log and for coalescing.
    """

    key: ChangeKey
    what: str
    head_sha: str | None = None
    updated_at: datetime | None = None
    by: str | None = None
    """Login of who caused it, as a hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """A status or check was reported on this commit; whichever changes have it as head are concerned.

    state: the forge's own word for what was reported, a hint.
    """

    repository_id: str
    repository: str
    sha: str
    context: str
    by: str | None
    what: str
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchEvent:
    """A branch moved or went away (`sha` None); changes onto it are concerned, and `.admit/` may differ."""

    repository_id: str
    repository: str
    branch: str
    sha: str | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersEvent:
    """Who belongs to what has changed: in an organisation or its teams, or on a repository. A hint: read them anew.

    organization, repository: by name; None where the payload does not say, never both.
    """

    organization: str | None
    repository: str | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadEvent:
    """Somebody asks for the changes with this head to be judged again: by a button, or by having a check run once more."""

    repository_id: str
    repository: str
    sha: str
    what: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeGroup:
    """Changes a merge queue would land together on `branch`: a commit of the queue's own, made on top of `base_sha`.

    ref: the queue's own branch for it; it may name the last member.
    """

    repository_id: str
    repository: str
    branch: str
    base_sha: str
    head_sha: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeGroupEvent:
    """A merge queue waits for an answer on the group's head; `ended`: it no longer does."""

    group: MergeGroup
    ended: bool
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredEvent:
    """Understood, and of no consequence here (pings, kinds nobody asked for): acknowledged, never an error."""

    what: str


Event: TypeAlias = ChangeEvent | StatusEvent | BranchEvent | HeadEvent | MergeGroupEvent | MembersEvent | IgnoredEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDelivery:
    """A delivery whose signature has been verified. `id` is the forge's own; a redelivery may repeat it or not.

    touches: the names of a change's facts that what happened can have altered, `updated_at` aside; None = any of them.
    """

    id: str
    event: Event
    touches: frozenset[str] | None = None


# --- reading and writing ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChange:
    """A line of the cheap listing reconciliation compares."""

    key: ChangeKey
    head_sha: str
    base_ref: str
    updated_at: datetime
    state: ChangeState = ChangeState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSummary:
    """What one cheap call says of a change: enough to know where a status belongs when its facts cannot be had."""

    key: ChangeKey
    repository_id: str
    url: str
    title: str
    head_sha: str
    target_branch: str
    state: ChangeState
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The files below a folder at one commit. `commit` is what the ref was resolved to, once; no files = no folder."""

    commit: str
    files: Mapping[str, bytes] = field(default_factory=dict)


class StatusState(StrEnum):
    """What a status can say. `success` is for admitted, and nothing else."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Something said of a line of the change. against: it stands against the change, rather than being worth knowing."""

    path: str
    line: int
    message: str
    against: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A status of ours. description: at most 140 characters. target_url: the decision's page.

    summary (Markdown) and annotations are shown where the forge has a place for them, are not read back, and make no status
    another one.
    """

    context: str
    state: StatusState
    description: str
    target_url: str
    summary: str = field(default="", compare=False)
    annotations: tuple[Annotation, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedStatus:
    """The newest status of a name on a commit, whoever posted it. `ours`: posted by this connection's own account."""

    status: Status
    by: str | None
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of something the credentials may use until `whole_at`: `name` in the forge's own word, requests or points."""

    name: str
    limit: int
    left: int
    whole_at: datetime


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class Forge(Protocol):
    """One connection to one forge. Safe to call from many tasks at once."""

    @property
    def connection(self) -> str:
        """The connection's name, as in `admit.yaml`."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this forge can do beyond the minimum; known after `probe`."""

    @property
    def code_owners(self) -> CodeOwnersDialect:
        """How it reads a CODEOWNERS file."""

    def parse_delivery(self, headers: Mapping[str, str], body: bytes) -> ParsedDelivery:
        """Headers (any case) and raw bytes → the event, if one of the connection's webhook secrets signed it.

        Pure: no network, no clock. The signature is checked first, in constant time, over the raw bytes; several
        secrets are accepted while rotating; an empty signature or no configured secret is a refusal.
        Raises DeliveryRefused.
        """

    def locate(self, url: str) -> ChangeKey | None:
        """The change a browser's URL shows, if it is one of this forge's; None for anybody else's URL. Pure."""

    async def read_change(
        self, key: ChangeKey, *, not_before: ChangeEvent | None = None, leave_out: frozenset[str] = frozenset()
    ) -> Change:
        """All facts, all pages, of one moment.

        Head, base and `updated_at` are read first and again at the end; different, or endpoints that disagree, or older
        than `not_before`: start over, at most 3 times, then TornFacts. A page, limit or endpoint missing is a fault,
        never a smaller change. The gateway's own statuses (contexts `admit/…`) are not among `checks`.
        leave_out: of MAY_BE_LEFT_OUT, facts that are NOT_READ in the answer; what only they need is not asked for.
        """

    async def summary(self, key: ChangeKey) -> ChangeSummary:
        """What one call says of the change; no promise that its endpoints agree with each other. Raises as any."""

    async def read_folder(self, repository: str, ref: str, path: str) -> Folder:
        """The files below `path` at `ref` (branch, tag or sha), resolved once to a commit; paths relative to `path`.

        At most 1,000 files and 10 MB, more is PermanentError. No such folder = no files; no such ref = NotFound.
        """

    async def read_first(self, repository: str, ref: str, paths: Sequence[str]) -> Folder:
        """The first of these paths that is a file at `ref`, which is resolved once to a commit; no files = none is one.

        At most 10 MB, more is PermanentError, and so is a link or submodule in the place of one. No such ref = NotFound.
        """

    async def open_changes(self, repository: str) -> Sequence[OpenChange]:
        """Every open change, newest update first; cheap."""

    async def repositories(self, patterns: Sequence[str]) -> Sequence[Repository]:
        """The repositories these credentials see whose `owner/name` fits one of the globs, by name."""

    async def report(self, repository: str, sha: str, status: Status) -> None:
        """Post the status; posting the same again is harmless."""

    async def reported(self, repository: str, sha: str, context: str) -> ReportedStatus | None:
        """The newest status of that name on that commit."""

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        """Merge if the head still is `head_sha`; the merge commit's sha. Already merged with that head = success.

        Raises Conflict (the head moved, conflicts), PermanentError (closed, draft, refused), TemporaryError.
        """

    async def members(self, repository: str) -> RepositoryMembers:
        """Who has which role on the repository, all pages; teams and organisations are told as such, not taken apart.

        Needs an account that administers it on some forges. Raises AccessRefused (naming what is lacking), NotFound,
        TornFacts (the lists moved while they were read), Unsupported without the capability `membership`.
        """

    async def teams(self, organization: str) -> OrganizationMembers:
        """Everybody in the organisation, and each of its teams with its members, all pages.

        Needs an account that owns it on some forges. Raises as `members`; NotFound too where the name is an account's.
        """

    async def organization(self, name: str) -> Organization:
        """The organisation of that name now: its id, and what relations call it. NotFound too where the name is an account's.

        One call, and nothing an owner alone may see. Raises as any, Unsupported without the capability `membership`.
        """

    async def own_login(self) -> str:
        """The login of the account these credentials belong to. Raises as any."""

    async def missing_rights(self, repository: str) -> Sequence[str]:
        """What these credentials lack to read, report and merge there, each in words a person can act on; none = nothing."""

    async def group_members(self, group: MergeGroup) -> Sequence[ChangeKey]:
        """The changes a merge queue would land together with this group's head, in the order they land; at least one.

        Raises PermanentError where that cannot be told, TornFacts where the queue moved on, Unsupported without `merge_queue`.
        """

    async def budget(self) -> Sequence[Allowance]:
        """What is left of what these credentials may ask; none where the forge sets no limit, or does not tell. Raises as any."""

    async def probe(self) -> str:
        """Reach the forge with the credentials: its name and version in one line, for `admit doctor`. Raises as any."""

    async def close(self) -> None:
        """Let go of connections."""
