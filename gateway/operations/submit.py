"""Submit: a workflow someone asks to run is judged, and kept with its decision and what carries it on, in one commit.

What is denied is kept under the caller's key like what is admitted, so that asking again is answered the same. What could
not be decided is not: its decision is on record, and the same key may ask again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from gateway.domain.clock import Clock
from gateway.domain.people import Speaker
from gateway.domain.record import Decision, FactsOrigin
from gateway.domain.submission import Source, Submission, SubmissionId, SubmissionState, forward_dispatch, judged
from gateway.errors import GenerationMoved, KeyReused
from gateway.operations.catalogue import Catalogue
from gateway.operations.judge import Judge, new_decision_id
from gateway.operations.seal_record import seal_dispatch
from gateway.operations.source_record import SourceRecord
from gateway.storage import Storage
from gateway.storage.submissions import Judged, Submissions
from policies import AdmissionRequest, Json, Outcome, WorkflowFacts, canonical, digest
from providers.errors import TemporaryError

log = structlog.get_logger()

_REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for. target None: the workflow's first. key: the caller's own, for asking again."""

    workflow: str
    target: str | None = None
    input: Json = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    key: str | None = None

    def fingerprint(self) -> str:
        """Equal for the same question."""
        source = self.source
        said: dict[str, Any] = {
            "workflow": self.workflow,
            "target": self.target,
            "input": self.input,
            "labels": dict(self.labels),
            "source": None if source is None else [source.connection, source.repository, source.ref, source.sha],
        }
        return digest("facts", canonical(said))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The submission as it stands, None where it could not be decided; and the decision it was answered with."""

    submission: Submission | None
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """`POST /v1/submissions`, and commands in comments."""

    judge: Judge
    catalogue: Catalogue
    sources: SourceRecord
    storage: Storage
    submissions: Submissions
    clock: Clock

    async def __call__(self, wanted: Wanted, by: Speaker, *, via: str = "api") -> Answer:
        """Raises RequestRefused and NotCanonical (it cannot be asked like this), KeyReused, EngineBusy, and TemporaryError
        where bundles keep coming into force.
        """
        target = self.catalogue.target_of(wanted.workflow, wanted.target)
        self.catalogue.check_input(wanted.workflow, wanted.input)
        source = await self.sources.located(wanted.source) if wanted.source else None
        asked = wanted.fingerprint()
        if wanted.key is not None and (known := await self.submissions.asked_under(by.ref, wanted.key)) is not None:
            return await self._same(known, asked)
        for _ in range(_REPEATS):
            try:
                return await self._judged(wanted, target, source, asked, by, via)
            except GenerationMoved:
                continue
        raise TemporaryError(f"other bundles came into force {_REPEATS} times while this was judged")

    async def _judged(self, wanted: Wanted, target: str, source: Source | None, asked: str, by: Speaker, via: str) -> Answer:
        document: dict[str, Json] = {
            "name": wanted.workflow,
            "target": target,
            "input": wanted.input,
            "labels": dict(wanted.labels),
            "source": await self.sources.document(source) if source else None,
        }
        now = self.clock()
        request = AdmissionRequest(subject=by.actor(), thing=WorkflowFacts(document=document), time=now)
        decision, facts = await self.judge(request, facts=FactsOrigin.GATHERED, change=None)
        if decision.outcome is Outcome.UNDECIDED:
            generation, dispatches = decision.generation or None, [seal_dispatch(now)]
            await self.storage.record_decision(decision, facts=facts, change=None, generation=generation, dispatches=dispatches)
            return Answer(submission=None, decision=decision)
        asked_for = Submission(
            id=SubmissionId(new_decision_id()),
            at=now,
            subject=by.actor(),
            via=via,
            workflow=wanted.workflow,
            target=target,
            labels=dict(wanted.labels),
            source=source,
            key=wanted.key,
            asked=asked,
            state=SubmissionState.ADMITTED,
            decisions=(),
            updated_at=now,
        )
        submission = judged(asked_for, decision)
        carried = [] if submission.state.ended else [forward_dispatch(submission)]
        recorded = await self.submissions.record(submission, Judged(decision=decision, facts=facts), [*carried, seal_dispatch(now)])
        if recorded.id != submission.id:  # somebody asked under this key at the same moment, and was first
            return await self._same(recorded, asked)
        log.info("submission recorded", submission=submission.id, workflow=wanted.workflow, target=target, outcome=decision.outcome.value)
        return Answer(submission=recorded, decision=decision)

    async def _same(self, known: Submission, asked: str) -> Answer:
        if known.asked != asked:
            raise KeyReused(
                f"the Idempotency-Key '{known.key}' stands for another submission, {known.id}", advice="use a new key for a new question"
            )
        decision = await self.storage.decision(known.decisions[0])
        assert decision is not None, "a submission is kept with its decisions"
        return Answer(submission=known, decision=decision)
