"""Judge a change: gather its facts from the forge, judge them, record the decision and set its report going.

In that order, before anything acts; decision, what is known of the change and the dispatch of the report are one commit.
A fault on the way is a decision too: undecided, with its reason, recorded and reported like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from gateway.domain.admission import merge_request, shown_title, tracked_change
from gateway.domain.clock import Clock
from gateway.domain.landing import change_about
from gateway.domain.override import in_force
from gateway.domain.record import ChangeRef, Decision, FactsOrigin, TrackedChange, carried_over
from gateway.errors import ChangeMoved, DatabaseUnavailable, GenerationMoved, UnknownThing
from gateway.operations.end_change import EndChange, reports_of
from gateway.operations.gather import Gather
from gateway.operations.judge import Judge
from gateway.operations.measures import DECISIONS, JUDGING
from gateway.operations.seal_record import seal_dispatch
from gateway.operations.stored_facts import StoredFacts
from gateway.operations.unnoticed import Unnoticed
from gateway.storage import Seen, Storage, StoredBundle
from policies import Approvals, Outcome, Reason
from policies.errors import EngineBusy, NotCanonical
from providers.errors import NotFound, ProviderError, TemporaryError, TornFacts
from providers.vcs import Change, ChangeEvent, ChangeKey, ChangeState, ChangeSummary, Forge

log = structlog.get_logger()

_REPEATS = 3
"""Judgements made again because something moved meanwhile, before it is left to the retry queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChange:
    """Judges one change as it stands now. Idempotent: the same facts, bundles and verdict confirm the last decision.

    unnoticed: says when what happened leaves a decision as it is; None = judge whatever happens.
    stored_facts: what a decision was based on, for when bundles alone are others; None = always ask the forge.
    answers_moved: looks once more, after recording, whether relationships are as they were; None where somebody else does.
    same_person: the relation between accounts of one human, if the relations' model has one.
    """

    judge: Judge
    gather: Gather
    forges: Mapping[str, Forge]
    storage: Storage
    clock: Clock
    answers_moved: Callable[[Decision], Awaitable[bool]] | None = None
    same_person: str | None = None
    unnoticed: Unnoticed | None = None
    stored_facts: StoredFacts | None = None

    @property
    def _end(self) -> EndChange:
        return EndChange(storage=self.storage, clock=self.clock)

    async def __call__(
        self, connection: str, key: ChangeKey, *, hint: ChangeEvent | None = None, touches: frozenset[str] | None = None
    ) -> Decision | None:
        """The recorded decision; None when there is nothing to judge (closed, merged, gone).

        touches: the only facts that can have been altered; where no policy could notice, the decision stands as it is.

        Raises UnknownThing (no such connection) and TemporaryError: the forge could not even say which commit this is
        about, the engine is full, other bundles keep coming into force, others keep judging it, the database is away.
        """
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        if self.unnoticed is not None and touches is not None:
            standing = await self.unnoticed(connection, key, touches, head_sha=hint.head_sha if hint else None)
            if standing is not None:
                return standing
        for _ in range(_REPEATS):
            try:
                if touches == frozenset() and (kept := await self._by_stored_facts(forge.connection, key)) is not None:
                    return kept
                return await self._judged(forge, key, hint)
            except (GenerationMoved, ChangeMoved):
                continue
        raise TemporaryError(f"other bundles came into force, or others judged this change, {_REPEATS} times while it was judged")

    async def _judged(self, forge: Forge, key: ChangeKey, hint: ChangeEvent | None) -> Decision | None:
        seen = Seen(await self.storage.change(forge.connection, key.repository, key.number))
        try:
            gathered = await self.gather(forge, key, hint)
        except DatabaseUnavailable:
            raise
        except ProviderError as problem:
            return await self._undecided(forge, key, problem, seen)
        if isinstance(gathered, Change):
            await self._end.as_read(gathered, seen.change)
            return None
        tracked = tracked_change(gathered.change)
        approvals = await self._approvals(tracked.ref)
        request = merge_request(gathered.change, at=self.clock(), approvals=approvals, code_owners=gathered.owners)
        try:
            decision, facts = await self.judge(request, facts=FactsOrigin.GATHERED, change=tracked.ref, own=gathered.own)
            if gathered.asked.outdated(decision.generation):
                raise GenerationMoved("other bundles came into force since it was asked what they look at")
            for id, files in gathered.own.evidence:
                await self.storage.keep_bundle(StoredBundle(id=id, files=files))
        except EngineBusy as problem:
            raise TemporaryError(str(problem), retry_after=problem.retry_after) from problem
        except NotCanonical as problem:
            decision, facts = await self.judge.without_facts(tracked.ref, Reason.FACTS_MISSING, str(problem))
        return await self._with_its_answers(await self._recorded(decision, facts, tracked, seen), key)

    async def _by_stored_facts(self, connection: str, key: ChangeKey) -> Decision | None:
        """What the bundles in force say of the facts as they were last read; None = read them, for it would be another outcome.

        An admission that is taken away is recorded, and reported, before anything is read; one that would be given is not.
        """
        seen = Seen(await self.storage.change(connection, key.repository, key.number))
        stored = await self.stored_facts(seen.change) if self.stored_facts is not None else None
        if stored is None or seen.change is None:
            return None
        asked = await self.gather.still_enough(connection, key.repository, stored.request, stored.own)
        if asked is None:
            return None
        request = replace(stored.request, time=self.clock(), approvals=await self._approvals(seen.change.ref))
        try:
            decision, facts = await self.judge(request, facts=FactsOrigin.GATHERED, change=seen.change.ref, own=stored.own)
        except EngineBusy as problem:
            raise TemporaryError(str(problem), retry_after=problem.retry_after) from problem
        given = decision.outcome is Outcome.ADMITTED and stored.decision.outcome is not Outcome.ADMITTED
        if given or asked.outdated(decision.generation):
            return None
        recorded = await self._with_its_answers(await self._recorded(decision, facts, seen.change, seen), key)
        return recorded if decision.outcome is stored.decision.outcome else None

    async def _approvals(self, ref: ChangeRef) -> Approvals | None:
        given = await self.storage.approvals(change_about(ref))
        return Approvals(given=given, same_person=self.same_person) if given else None

    async def _with_its_answers(self, recorded: Decision, key: ChangeKey) -> Decision:
        """The decision, if relationships are still as it was told. Raises ChangeMoved."""
        if self.answers_moved is not None and await self.answers_moved(recorded):
            raise ChangeMoved(f"relations of {key.repository}#{key.number} changed while it was judged")
        return recorded

    async def _undecided(self, forge: Forge, key: ChangeKey, problem: ProviderError, seen: Seen) -> Decision | None:
        """The facts cannot be had. What one call still says of the change decides where that is reported."""
        try:
            summary = await forge.summary(key)
        except NotFound:
            await self._end.as_gone(forge.connection, key)
            return None
        except ProviderError as second:
            raise TemporaryError(f"neither facts nor summary of {key.repository}#{key.number} can be had: {second}") from problem
        tracked = TrackedChange(
            ref=_summary_ref(forge.connection, summary),
            state=summary.state.value,
            decision_id=None,
            outcome=None,
            updated_at=summary.updated_at,
        )
        if summary.state is not ChangeState.OPEN:
            await self._end.as_known(tracked)
            return None
        decision, facts = await self.judge.without_facts(tracked.ref, _reason(problem), f"the facts could not be read: {problem}")
        return await self._recorded(decision, facts, tracked, seen)

    async def _recorded(self, decision: Decision, facts: bytes, tracked: TrackedChange, seen: Seen) -> Decision:
        known = await self.storage.change(tracked.ref.connection, tracked.ref.repository, tracked.ref.number)
        override = carried_over(known, tracked).override
        if in_force(override, decision.at):
            decision = replace(decision, override=override)
        recorded = await self.storage.record_decision(
            decision,
            facts=facts,
            change=replace(tracked, decision_id=decision.id, outcome=decision.outcome),
            generation=decision.generation or None,
            dispatches=[*await reports_of(self.storage, tracked.ref, decision.id), seal_dispatch(self.clock())],
            seen=seen,
        )
        if recorded.id == decision.id:
            DECISIONS.labels(recorded.outcome.value).inc()
            JUDGING.observe(recorded.microseconds / 1_000_000)
        log.info(
            "decision recorded",
            decision=recorded.id,
            outcome=recorded.outcome.value,
            reason=recorded.verdict.reason,
            repository=tracked.ref.repository,
            number=tracked.ref.number,
            confirmed=recorded.id != decision.id,
        )
        _alert_of_quarantine(recorded)
        return recorded


def _alert_of_quarantine(decision: Decision) -> None:
    """Somebody has to mend or roll back the bundle: until then nothing it judges is admitted."""
    results = {fault.policy for fault in decision.verdict.faults if fault.reason is Reason.BUNDLE_QUARANTINED}
    bundles = sorted({policy.bundle for policy in results if policy is not None})
    if bundles:
        log.error("bundle in quarantine", bundles=bundles, decision=decision.id, advice="mend it, or: admit bundle rollback NAME")


def _summary_ref(connection: str, summary: ChangeSummary) -> ChangeRef:
    return ChangeRef(
        connection=connection,
        repository_id=summary.repository_id,
        repository=summary.key.repository,
        number=summary.key.number,
        head_sha=summary.head_sha,
        target_branch=summary.target_branch,
        url=summary.url,
        title=shown_title(summary.title),
    )


def _reason(problem: ProviderError) -> Reason:
    match problem:
        case TornFacts():
            return Reason.FACTS_TORN
        case TemporaryError():
            return Reason.FACTS_UNREACHABLE
        case _:
            return Reason.FACTS_MISSING
