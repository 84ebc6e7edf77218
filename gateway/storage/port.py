"""The port to what is kept. Each method is one transaction and one intent; there is no half of one.

Blobs (facts, relation answers, bundle bytes, delivery bodies) are content-addressed and kept while something names
them. Reads see every write that has returned. Any method may raise DatabaseUnavailable (temporary).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from gateway.domain.audit import AuditEvent
from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.domain.landing import Landing
from gateway.domain.record import Decision, DecisionId, Generation, Override, TrackedChange
from policies.canonical import Kind
from policies.model import Approval, BundleId, Digest, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBundle:
    """A bundle's bytes under its digest: relative path → content."""

    id: BundleId
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRevision:
    """A bundle that is or was in force: since when (first), through whom, and in which generation first."""

    bundle: BundleId
    at: datetime
    by: str
    generation: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was known of a change when somebody looked; None: nothing."""

    change: TrackedChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """None = any. Repository names are compared as forges do, without case. `since` is included, `until` is not."""

    connection: str | None = None
    repository: str | None = None
    number: int | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """Newest first. `cursor`: pass it to get what follows; None = that was all."""

    decisions: tuple[Decision, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedReport:
    """The last status we posted for (connection, repository, sha, context)."""

    connection: str
    repository_id: str
    sha: str
    context: str
    state: str
    description: str
    target_url: str
    posted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """An API token, known only by its hash (SHA-256 of 256 random bits: no salt is needed).

    scopes: `domain.access.Scope` by name. actor: who holds it, as relationship checks name them; None = nobody in particular.
    """

    name: str
    hash: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    actor: str | None = None
    revoked_at: datetime | None = None

    def valid(self, at: datetime) -> bool:
        """Neither expired nor revoked at that time."""
        return (self.expires_at is None or at < self.expires_at) and (self.revoked_at is None or at < self.revoked_at)


Concerned: TypeAlias = Callable[[TrackedChange], "Dispatch | None"]
"""What has to happen to an open change, if anything."""


def nobody(change: TrackedChange) -> Dispatch | None:
    """No change is concerned."""
    return None


class Storage(Protocol):
    """What the gateway keeps."""

    async def record_delivery(self, delivery: Delivery, dispatches: Sequence[Dispatch]) -> bool:
        """Keep the delivery and what it sets going, together; False (and nothing changes) if it is known already.

        What differs by its id alone from the workflow's dispatch before it, in the same commit, may be left out.
        """

    async def delivery(self, connection: str, id: str) -> Delivery | None:
        """As recorded."""

    async def record_dispatches(self, dispatches: Sequence[Dispatch]) -> None:
        """Set workflows going without a delivery; an id that is known already changes nothing."""

    async def activate(self, bundles: Sequence[StoredBundle], *, at: datetime, by: str) -> Generation:
        """Bring these bundles, and no others, into force: a new generation, unless they are what is in force already.

        Bundles are in force ordered by name.
        """

    async def put_in_force(
        self, generation: Generation, *, keep: Sequence[StoredBundle], event: AuditEvent, concerned: Concerned = nobody
    ) -> None:
        """Bring this generation into force, with its audit event and the judging of the open changes it concerns.

        Its number is one more than what is in force, else GenerationMoved and nothing changes. Its bundles are ordered by
        name; keep: those that may not be kept yet. concerned: asked of every open change in that transaction, so that
        none that was judged meanwhile is missed, those now admitted first; it is pure, and may be asked more than once.
        """

    async def generation(self) -> Generation | None:
        """What is in force; None before the first `activate`."""

    async def generation_numbered(self, number: int) -> Generation | None:
        """What was in force under this number."""

    async def revisions(self, name: str) -> Sequence[BundleRevision]:
        """The bundles of that name that `put_in_force` ever brought into force, each once, the newest first."""

    async def audit_events(self, *, about: str | None = None, limit: int = 200) -> Sequence[AuditEvent]:
        """What was changed by whom, newest first; about: only what concerns this name."""

    async def record_event(self, event: AuditEvent, dispatches: Sequence[Dispatch] = ()) -> None:
        """Put an act on record that changes nothing here itself, with what it sets going."""

    async def bundle_files(self, digest: Digest) -> Mapping[str, bytes] | None:
        """The files of a bundle any generation or decision names."""

    async def keep_bundle(self, bundle: StoredBundle) -> None:
        """Keep a repository's own bundle that a decision is about to name."""

    async def record_decision(
        self,
        decision: Decision,
        *,
        facts: bytes,
        change: TrackedChange | None,
        generation: int | None,
        dispatches: Sequence[Dispatch] = (),
        seen: Seen | None = None,
        document: bytes | None = None,
    ) -> Decision:
        """Keep the decision with the blob of its facts, what it says of the change, and what it sets going, together.

        `facts` is the blob of kind `facts` the decision's `input_digest` names. The dispatches are written for a
        confirmed decision too.

        If the last decision on this change (from facts of the same origin) has the same facts but for their `time`, the
        same bundles, engine, relation answers and verdict, that one is confirmed (`confirmed_at`) and returned instead of
        a new row. The same id again is the same decision again; saying something else it is a StorageError. The change's
        `decision_id` and `outcome` are the returned decision's, whatever the argument says.

        Raises ValueError if `facts` are not those the decision names. `generation` not being in force any more raises
        GenerationMoved and changes nothing; None = do not compare (a dry run's facts were provided). `seen`: what was known
        of the change before its facts were read; where that has changed since, but for an override, it raises ChangeMoved
        and changes nothing. None = do not compare. `document`: the decision as `written`, from who has it at hand.
        """

    async def track_change(
        self,
        change: TrackedChange,
        dispatches: Sequence[Dispatch] = (),
        *,
        event: AuditEvent | None = None,
        landing: Landing | None = None,
    ) -> None:
        """Remember what is known of a change whose decision stays as it is (closed, merged), what that sets going, what of
        it belongs on record, and where it landed, together. A landing of that change and commit that is known stays as it is.

        `decision_id` and `outcome` of the argument are ignored: those known stay while head and target branch are the ones
        they are good for, and are None otherwise.
        """

    async def set_override(
        self, change: TrackedChange, override: Override | None, *, event: AuditEvent, dispatches: Sequence[Dispatch]
    ) -> TrackedChange | None:
        """Let this override (None: no longer any) stand beside what is known of the change, with its audit event and what it
        sets going; the change as it is known then.

        None, and nothing changes, unless it still is open with that head and target branch; beside the same decision, if one
        is given; with the same override, if one is taken away. Recording a decision
        or tracking the change keeps the override, as far as head and target branch stay.
        """

    async def decision(self, id: DecisionId) -> Decision | None:
        """As recorded, with `confirmed_at`."""

    async def decisions(self, filter: DecisionFilter, *, limit: int = 50, cursor: str | None = None) -> DecisionPage:
        """Newest first. Raises ValueError for a cursor nobody gave out."""

    async def blob(self, digest: Digest) -> bytes | None:
        """The bytes, checked against the digest on the way out (a mismatch raises StorageError). Raises Erased."""

    async def blobs_of(self, kind: Kind, *, after: str = "", limit: int = 200) -> Sequence[tuple[Digest, bytes]]:
        """Those of one kind that follow this digest, in the order of digests."""

    async def old_facts(self, before: datetime, *, after: int = 0, limit: int = 200) -> tuple[Sequence[Digest], int | None]:
        """Facts still kept of decisions made before then, without those in force for open changes; and what to pass as `after`
        to get what follows, None = that was all."""

    async def old_deliveries(self, before: datetime, *, limit: int = 200) -> Sequence[Digest]:
        """Bodies still kept of deliveries received before then."""

    async def erase_blobs(self, digests: Sequence[Digest], *, why: str, event: AuditEvent) -> None:
        """Drop their bytes for good, with the audit event of it. Whoever reads one is told when (the event's time) and why."""

    async def change(self, connection: str, repository: str, number: int) -> TrackedChange | None:
        """What is known of a change; the repository by its name, without case."""

    async def changes(self, *, state: str | None = "open", limit: int = 200) -> Sequence[TrackedChange]:
        """Most recently updated first."""

    async def changes_with_head(self, connection: str, repository_id: str, sha: str) -> Sequence[TrackedChange]:
        """Every known change of this repository with that head, open or not."""

    async def landings(self, repository: str, sha: str) -> Sequence[Landing]:
        """Every merge into this commit of a repository of that name, on any connection; the name without case."""

    async def record_approval(self, about: str, approval: Approval, dispatches: Sequence[Dispatch], *, event: AuditEvent) -> None:
        """Keep somebody's word about this, with its audit event and what it sets going, together."""

    async def approvals(self, about: str) -> tuple[Approval, ...]:
        """Every word about this, in the order they were kept."""

    async def posted(self, connection: str, repository_id: str, sha: str, context: str) -> PostedReport | None:
        """What we last posted there."""

    async def record_report(self, report: PostedReport) -> None:
        """Remember what was posted; it replaces what was."""

    async def add_token(self, token: StoredToken) -> None:
        """Keep it; a known name is replaced."""

    async def create_token(self, token: StoredToken, *, event: AuditEvent) -> bool:
        """Keep a new one, with its audit event; False (and nothing changes) if its name was ever given."""

    async def revoke_token(self, name: str, *, at: datetime, event: AuditEvent) -> StoredToken | None:
        """It is not valid from then on, with the audit event; as it stands afterwards.

        None if nobody knows the name. One that was revoked already stays as it was, and there is no event.
        """

    async def tokens(self) -> Sequence[StoredToken]:
        """Every one, by name; revoked and expired ones too."""

    async def token(self, hash: str) -> StoredToken | None:
        """By hash; revoked and expired ones too."""

    async def has_tokens(self) -> bool:
        """Whether any token exists."""

    async def ready(self) -> None:
        """Returns if the database answers and its schema is this code's. Raises DatabaseUnavailable, DatabaseOutdated."""

    async def close(self) -> None:
        """Commit what was handed in, then let go."""
