"""Storage in memory, for the demo and for tests: the same promises, kept until the process ends.

Each method runs without awaiting anything, which makes it a transaction: what it refuses, it refuses before it changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.domain.audit import AuditEvent
from gateway.domain.chain import Entry, EntryKind, content_hash
from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.domain.landing import Landing, landing_document
from gateway.domain.record import (
    ChangeRef,
    Decision,
    DecisionId,
    Generation,
    Override,
    TrackedChange,
    carried_over,
    decided,
    decision_from_document,
    substance,
    written,
)
from gateway.errors import DatabaseUnavailable, Erased, GenerationMoved, StorageError
from gateway.storage import checks
from gateway.storage.columns import to_ms
from gateway.storage.cursor import read_cursor, write_cursor
from gateway.storage.documents import (
    change_document,
    delivery_document,
    event_document,
    generation_document,
    report_document,
    token_document,
)
from gateway.storage.port import (
    BundleRevision,
    Concerned,
    DecisionFilter,
    DecisionPage,
    PostedReport,
    Seen,
    StoredBundle,
    StoredToken,
    nobody,
)
from policies.canonical import Kind, canonical, digest
from policies.model import Approval, Digest, rfc3339


@dataclass(slots=True, kw_only=True)
class _Recorded:
    """A decision as it would stand in a table."""

    order: int
    document: bytes
    substance: str | None
    decision: Decision


class MemoryStorage:
    """`dispatches` is the outbox: every one written so far, each id once. `entries`: what is to be sealed, as it was written."""

    def __init__(self) -> None:
        self.dispatches: list[Dispatch] = []
        self.entries: list[tuple[Entry, bytes]] = []
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._blobs: dict[str, tuple[Kind, bytes]] = {}
        self._bundles: dict[str, dict[str, Digest]] = {}
        self._generations: list[Generation] = []
        self._revisions: list[BundleRevision] = []
        self._events: list[AuditEvent] = []
        self._decisions: dict[str, _Recorded] = {}
        self._changes: dict[tuple[str, str, int], TrackedChange] = {}
        self._landings: dict[tuple[str, str, int, str], Landing] = {}
        self._approvals: dict[str, list[Approval]] = {}
        self._reports: dict[tuple[str, str, str, str], PostedReport] = {}
        self._tokens: dict[str, StoredToken] = {}
        self._erased: dict[str, Erased] = {}
        self._closed = False

    async def record_delivery(self, delivery: Delivery, dispatches: Sequence[Dispatch]) -> bool:
        self._open()
        checks.dispatchable(dispatches)
        canonical(delivery_document(delivery))
        known = (delivery.connection, delivery.id)
        if known in self._deliveries:
            return False
        self._deliveries[known] = delivery
        self._keep("delivery", delivery.body)
        self._dispatch(dispatches)
        return True

    async def delivery(self, connection: str, id: str) -> Delivery | None:
        self._open()
        return self._deliveries.get((connection, id))

    async def record_dispatches(self, dispatches: Sequence[Dispatch]) -> None:
        self._open()
        checks.dispatchable(dispatches)
        self._dispatch(dispatches)

    async def activate(self, bundles: Sequence[StoredBundle], *, at: datetime, by: str) -> Generation:
        self._open()
        ordered = checks.by_name(bundles)
        ids = tuple(bundle.id for bundle in ordered)
        if self._generations and self._generations[-1].bundles == ids:
            return self._generations[-1]
        generation = Generation(number=len(self._generations) + 1, activated_at=at, bundles=ids, by=by)
        canonical(generation_document(generation))
        for bundle in ordered:
            await self.keep_bundle(bundle)
        self._generations.append(generation)
        return generation

    async def put_in_force(
        self, generation: Generation, *, keep: Sequence[StoredBundle], event: AuditEvent, concerned: Concerned = nobody
    ) -> None:
        self._open()
        checks.in_order(generation)
        number = len(self._generations)
        if number + 1 != generation.number:
            raise GenerationMoved(f"generation {generation.number} was to follow, but {number} is in force: look again")
        canonical([generation_document(generation), event_document(event), *(dict.fromkeys(bundle.files) for bundle in keep)])
        still_open = checks.admitted_first([change for change in self._changes.values() if change.state == "open"])
        dispatches = [dispatch for change in still_open if (dispatch := concerned(change)) is not None]
        checks.dispatchable(dispatches)
        for bundle in keep:
            await self.keep_bundle(bundle)
        self._generations.append(generation)
        known = {(revision.bundle.name, revision.bundle.digest) for revision in self._revisions}
        self._revisions += [
            BundleRevision(bundle=id, at=generation.activated_at, by=generation.by, generation=generation.number)
            for id in generation.bundles
            if (id.name, id.digest) not in known
        ]
        self._put_event(event)
        self._dispatch(dispatches)

    async def generation(self) -> Generation | None:
        self._open()
        return self._generations[-1] if self._generations else None

    async def generation_numbered(self, number: int) -> Generation | None:
        self._open()
        return self._generations[number - 1] if 0 < number <= len(self._generations) else None

    async def revisions(self, name: str) -> Sequence[BundleRevision]:
        self._open()
        return [revision for revision in reversed(self._revisions) if revision.bundle.name == name]

    async def audit_events(self, *, about: str | None = None, limit: int = 200) -> Sequence[AuditEvent]:
        self._open()
        return [event for event in reversed(self._events) if about is None or event.about == about][:limit]

    async def record_event(self, event: AuditEvent, dispatches: Sequence[Dispatch] = ()) -> None:
        self._open()
        checks.dispatchable(dispatches)
        self._put_event(event)
        self._dispatch(dispatches)

    async def bundle_files(self, digest: Digest) -> Mapping[str, bytes] | None:
        self._open()
        files = self._bundles.get(digest)
        return None if files is None else {path: self._blobs[its][1] for path, its in files.items()}

    async def keep_bundle(self, bundle: StoredBundle) -> None:
        self._open()
        canonical(dict.fromkeys(bundle.files))
        self._bundles.setdefault(bundle.id.digest, {path: self._keep("file", content) for path, content in bundle.files.items()})

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
        self._open()
        checks.dispatchable(dispatches)
        checks.storable(decision, facts)
        if change is not None:
            canonical(change_document(change))
        in_force = len(self._generations)
        if generation is not None and generation != in_force:
            raise GenerationMoved(f"judged by generation {generation}, but {in_force} is in force: judge again")
        if change is not None and seen is not None:
            checks.require_seen(self._changes.get(_place(change.ref)), seen)
        recorded = self._record(decision, facts)
        if change is not None:
            self._put_change(decided(self._changes.get(_place(change.ref)), change, recorded))
        self._dispatch(dispatches)
        return recorded

    async def track_change(
        self,
        change: TrackedChange,
        dispatches: Sequence[Dispatch] = (),
        *,
        event: AuditEvent | None = None,
        landing: Landing | None = None,
    ) -> None:
        self._open()
        checks.dispatchable(dispatches)
        if landing is not None:
            canonical(landing_document(landing))
            place = (landing.connection, landing.repository.lower(), landing.number, landing.sha)
            self._landings.setdefault(place, landing)
        canonical(change_document(change))
        if event is not None:
            self._put_event(event)
        self._put_change(carried_over(self._changes.get(_place(change.ref)), change))
        self._dispatch(dispatches)

    async def set_override(
        self, change: TrackedChange, override: Override | None, *, event: AuditEvent, dispatches: Sequence[Dispatch]
    ) -> TrackedChange | None:
        self._open()
        checks.dispatchable(dispatches)
        known = self._changes.get(_place(change.ref))
        if known is None or not checks.stands_as_seen(known, change, giving=override is not None):
            return None
        overridden = replace(known, override=override)
        canonical(change_document(overridden))
        self._put_event(event)
        self._put_change(overridden)
        self._dispatch(dispatches)
        return overridden

    def require_open(self) -> None:
        """Raises DatabaseUnavailable once it has been closed."""
        self._open()

    def note(self, event: AuditEvent, dispatches: Sequence[Dispatch]) -> None:
        """Keep what belongs on record of something kept beside this, and what that sets going."""
        checks.dispatchable(dispatches)
        self._put_event(event)
        self._dispatch(dispatches)

    async def decision(self, id: DecisionId) -> Decision | None:
        self._open()
        recorded = self._decisions.get(id)
        return None if recorded is None else recorded.decision

    async def decisions(self, filter: DecisionFilter, *, limit: int = 50, cursor: str | None = None) -> DecisionPage:
        self._open()
        after = None if cursor is None else read_cursor(cursor)
        places = sorted(
            ((to_ms(row.decision.at), row.order, row.decision) for row in self._decisions.values() if _fits(filter, row.decision)),
            key=lambda place: place[:2],
            reverse=True,
        )
        rest = [place for place in places if after is None or place[:2] < after]
        shown = rest[:limit]
        more = len(rest) > limit and bool(shown)
        return DecisionPage(decisions=tuple(place[2] for place in shown), cursor=write_cursor(*shown[-1][:2]) if more else None)

    async def blobs_of(self, kind: Kind, *, after: str = "", limit: int = 200) -> Sequence[tuple[Digest, bytes]]:
        self._open()
        found = sorted(name for name, (its, _) in self._blobs.items() if its == kind and name > after)
        return [(Digest(name), self._blobs[name][1]) for name in found if name not in self._erased][:limit]

    async def old_facts(self, before: datetime, *, after: int = 0, limit: int = 200) -> tuple[Sequence[Digest], int | None]:
        self._open()
        needed = {change.decision_id for change in self._changes.values() if change.state == "open"}
        old = [row for row in self._decisions.values() if row.order > after and to_ms(row.decision.at) < to_ms(before)]
        page = [row for row in old if row.decision.input_digest not in self._erased][:limit]
        return [row.decision.input_digest for row in page if row.decision.id not in needed], page[-1].order if page else None

    async def old_deliveries(self, before: datetime, *, limit: int = 200) -> Sequence[Digest]:
        self._open()
        old = [digest("delivery", one.body) for one in self._deliveries.values() if to_ms(one.received_at) < to_ms(before)]
        return [name for name in old if name not in self._erased][:limit]

    async def erase_blobs(self, digests: Sequence[Digest], *, why: str, event: AuditEvent) -> None:
        self._open()
        self._put_event(event)
        self._erased.update({name: Erased(f"{name} was erased on {rfc3339(event.at)[:10]}: {why}") for name in digests})

    async def blob(self, digest: Digest) -> bytes | None:
        self._open()
        if digest in self._erased:
            raise self._erased[digest]
        return self._blobs[digest][1] if digest in self._blobs else None

    async def change(self, connection: str, repository: str, number: int) -> TrackedChange | None:
        self._open()
        return self._changes.get((connection, repository.lower(), number))

    async def changes(self, *, state: str | None = "open", limit: int = 200) -> Sequence[TrackedChange]:
        self._open()
        found = [change for change in self._changes.values() if state is None or change.state == state]
        return sorted(found, key=lambda change: change.updated_at, reverse=True)[:limit]

    async def changes_with_head(self, connection: str, repository_id: str, sha: str) -> Sequence[TrackedChange]:
        self._open()
        wanted = (connection, repository_id, sha)
        found = [c for c in self._changes.values() if (c.ref.connection, c.ref.repository_id, c.ref.head_sha) == wanted]
        return sorted(found, key=lambda change: change.ref.number)

    async def landings(self, repository: str, sha: str) -> Sequence[Landing]:
        self._open()
        found = [landing for landing in self._landings.values() if (landing.repository.lower(), landing.sha) == (repository.lower(), sha)]
        return sorted(found, key=lambda landing: (landing.connection, landing.number))

    async def record_approval(self, about: str, approval: Approval, dispatches: Sequence[Dispatch], *, event: AuditEvent) -> None:
        self._open()
        checks.dispatchable(dispatches)
        canonical(approval.document())
        written = canonical(event_document(event))
        self._approvals.setdefault(about, []).append(approval)
        self._dispatch(dispatches)
        self._events.append(event)
        self._enlist(EntryKind.AUDIT, str(len(self._events)), written)

    async def approvals(self, about: str) -> tuple[Approval, ...]:
        self._open()
        return tuple(self._approvals.get(about, ()))

    async def posted(self, connection: str, repository_id: str, sha: str, context: str) -> PostedReport | None:
        self._open()
        return self._reports.get((connection, repository_id, sha, context))

    async def record_report(self, report: PostedReport) -> None:
        self._open()
        canonical(report_document(report))
        self._reports[(report.connection, report.repository_id, report.sha, report.context)] = report

    async def add_token(self, token: StoredToken) -> None:
        self._open()
        checks.nameable(token)
        canonical(token_document(token))
        self._tokens[token.name] = token

    async def create_token(self, token: StoredToken, *, event: AuditEvent) -> bool:
        self._open()
        checks.nameable(token)
        canonical(token_document(token))
        if token.name in self._tokens:
            return False
        self._put_event(event)
        self._tokens[token.name] = token
        return True

    async def revoke_token(self, name: str, *, at: datetime, event: AuditEvent) -> StoredToken | None:
        self._open()
        token = self._tokens.get(name)
        if token is None or token.revoked_at is not None:
            return token
        self._put_event(event)
        self._tokens[name] = replace(token, revoked_at=at)
        return self._tokens[name]

    async def tokens(self) -> Sequence[StoredToken]:
        self._open()
        return [self._tokens[name] for name in sorted(self._tokens)]

    async def token(self, hash: str) -> StoredToken | None:
        self._open()
        return next((token for token in self._tokens.values() if token.hash == hash), None)

    async def has_tokens(self) -> bool:
        self._open()
        return bool(self._tokens)

    async def ready(self) -> None:
        self._open()

    async def close(self) -> None:
        self._closed = True

    # --- inside --------------------------------------------------------------------------

    def _open(self) -> None:
        if self._closed:
            raise DatabaseUnavailable("the storage has been closed")

    def _record(self, decision: Decision, facts: bytes) -> Decision:
        document = written(decision)
        known = self._decisions.get(decision.id)
        if known is not None:
            if known.document != document:
                raise StorageError(f"decision {decision.id} is on record already, and says something else")
            return known.decision
        said = None
        if decision.change is not None:
            said = substance(document, facts)
            last = self._last(decision.change, decision)
            if last is not None and last.substance == said:
                last.decision = replace(last.decision, confirmed_at=decision.at)
                return last.decision
        self._keep("facts", facts)
        kept = replace(decision_from_document(json.loads(document)), confirmed_at=decision.confirmed_at)
        self._enlist(EntryKind.DECISION, decision.id, document)
        self._decisions[decision.id] = _Recorded(order=len(self._decisions) + 1, document=document, substance=said, decision=kept)
        return decision

    def _last(self, change: ChangeRef, decision: Decision) -> _Recorded | None:
        for recorded in reversed(self._decisions.values()):
            its = recorded.decision
            if its.change is not None and _place(its.change) == _place(change) and its.facts is decision.facts:
                return recorded
        return None

    def _enlist(self, kind: EntryKind, id: str, written: bytes) -> None:
        self.entries.append((Entry(kind=kind, id=id, content=content_hash(kind, written)), written))

    def _put_event(self, event: AuditEvent) -> None:
        written = canonical(event_document(event))
        self._events.append(event)
        self._enlist(EntryKind.AUDIT, str(len(self._events)), written)

    def _put_change(self, change: TrackedChange) -> None:
        self._changes[_place(change.ref)] = change

    def _keep(self, kind: Kind, content: bytes) -> Digest:
        name = digest(kind, content)
        self._blobs[name] = (kind, content)
        return name

    def _dispatch(self, dispatches: Sequence[Dispatch]) -> None:
        known = {dispatch.id for dispatch in self.dispatches}
        for dispatch in dispatches:
            if dispatch.id not in known:
                self.dispatches.append(dispatch)
                known.add(dispatch.id)


def _place(ref: ChangeRef) -> tuple[str, str, int]:
    return (ref.connection, ref.repository.lower(), ref.number)


def _fits(filter: DecisionFilter, decision: Decision) -> bool:
    change = decision.change
    return (
        (filter.connection is None or (change is not None and change.connection == filter.connection))
        and (filter.repository is None or (change is not None and change.repository.lower() == filter.repository.lower()))
        and (filter.number is None or (change is not None and change.number == filter.number))
        and (filter.outcome is None or decision.outcome is filter.outcome)
        and (filter.since is None or to_ms(decision.at) >= to_ms(filter.since))
        and (filter.until is None or to_ms(decision.at) < to_ms(filter.until))
    )
