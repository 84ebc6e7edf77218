"""The facts a decision on an open change was based on, as a request that can be judged again without asking its forge."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.record import Decision, FactsOrigin, TrackedChange
from gateway.errors import StorageError
from gateway.operations.evidence import ReadEvidence
from gateway.storage import Storage
from policies import AdmissionRequest
from policies.errors import BundleRefused, EngineError
from policies.repository import OwnFiles
from providers.vcs import ChangeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """decision: whose facts these are. own: what the change's repository said for itself then."""

    decision: Decision
    request: AdmissionRequest
    own: OwnFiles | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """Reads them back."""

    storage: Storage
    evidence: ReadEvidence

    async def __call__(self, change: TrackedChange | None) -> Stored | None:
        """None where the change is not open, was not judged yet, or its facts could not be had or are not whole any more."""
        if change is None or change.state != ChangeState.OPEN or change.decision_id is None:
            return None
        decision = await self.storage.decision(change.decision_id)
        if decision is None or decision.facts is not FactsOrigin.GATHERED:
            return None
        try:
            evidence = await self.evidence(decision)
        except (StorageError, BundleRefused, EngineError):
            return None
        return None if evidence is None else Stored(decision=decision, request=evidence.request, own=evidence.own)
