"""Judge a submission again: the same question, with what is on record of its commit now and what people said since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.domain.clock import Clock
from gateway.domain.record import FactsOrigin
from gateway.domain.submission import Submission
from gateway.errors import StorageError
from gateway.operations.judge import Judge
from gateway.operations.source_record import SourceRecord
from gateway.storage import Storage
from gateway.storage.submissions import Judged
from policies import AdmissionRequest, Approvals, Json, WorkflowFacts
from policies.errors import EngineBusy
from providers.errors import TemporaryError


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSubmission:
    """same_person: the relation between accounts of one human, if the relations' model has one."""

    judge: Judge
    sources: SourceRecord
    storage: Storage
    clock: Clock
    same_person: str | None = None

    async def __call__(self, submission: Submission) -> Judged:
        """Not recorded yet. Raises TemporaryError (too busy), StorageError where its facts are not kept any more."""
        document = await self.facts_of(submission)
        document["source"] = await self.sources.document(submission.source) if submission.source else None
        given = await self.storage.approvals(submission.about)
        request = AdmissionRequest(
            subject=submission.subject,
            thing=WorkflowFacts(document=document),
            time=self.clock(),
            approvals=Approvals(given=given, same_person=self.same_person) if given else None,
        )
        try:
            decision, facts = await self.judge(request, facts=FactsOrigin.GATHERED, change=None)
        except EngineBusy as problem:
            raise TemporaryError(str(problem), retry_after=problem.retry_after) from problem
        return Judged(decision=decision, facts=facts)

    async def input_of(self, submission: Submission) -> Mapping[str, Json]:
        """What the workflow is to be given. Raises StorageError."""
        input: Mapping[str, Json] = (await self.facts_of(submission))["input"]
        return input

    async def facts_of(self, submission: Submission) -> dict[str, Any]:
        """`input.workflow` as it was first judged. Raises StorageError."""
        first = await self.storage.decision(submission.decisions[0])
        facts = await self.storage.blob(first.input_digest) if first else None
        if facts is None:
            raise StorageError(f"what submission {submission.id} asked for is not kept any more")
        document: dict[str, Any] = json.loads(facts)["workflow"]
        return document
