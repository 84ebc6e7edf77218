"""What if a bundle had been in force: recorded decisions judged by it, and those that would have ended otherwise.

The facts are the recorded ones. Relations that were recorded are answered as they were; those the new bundle asks beyond
that, by whoever answers now.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.record import Decision
from gateway.errors import StorageError
from gateway.operations.evidence import ReadEvidence
from policies import Verdict
from policies.bundles import Bundle
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, NotCanonical
from policies.relations import Relations
from policies.relations.recorded import KnownFirst


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Judges recorded requests by a bundle that is not in force."""

    evidence: ReadEvidence
    engine: PolicyEngine
    relations: Relations

    async def __call__(self, decision: Decision, bundle: Bundle) -> Verdict | str:
        """The verdict it would have been, or why that cannot be told. Raises DatabaseUnavailable and EngineUnavailable."""
        try:
            evidence = await self.evidence(decision)
            if evidence is None:
                return "its facts could not be read at the time"
            relations = KnownFirst(dict(decision.relations), self.relations)
            return (await evidence.with_bundle(bundle).judged(self.engine, relations)).verdict
        except (StorageError, BundleRefused, NotCanonical, EngineBusy) as problem:
            return str(problem)
