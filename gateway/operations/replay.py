"""Replay: a recorded decision computed again from what was recorded with it, and from nothing else.

Facts, relation answers and bundles come from the record; no forge, no relations server and no clock is asked. The same
verdict has to come out, to the byte of its canonical form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.differences import first_difference
from gateway.domain.record import Decision, verdict_document
from gateway.errors import Erased, StorageError
from gateway.operations.evidence import ReadEvidence
from policies import Json, Judgement, Outcome, Reason, Verdict, canonical
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, NotCanonical
from policies.relations.recorded import RecordedRelations

_OF_THE_MOMENT = frozenset(
    {
        Reason.POLICY_TIMED_OUT,
        Reason.ENGINE_CRASHED,
        Reason.ENGINE_UNAVAILABLE,
        Reason.BUNDLE_QUARANTINED,
        Reason.BUNDLE_BROKEN,
        Reason.RELATIONS_UNAVAILABLE,
        Reason.RELATIONS_REFUSED,
        Reason.FACTS_MISSING,
        Reason.FACTS_TORN,
        Reason.FACTS_UNREACHABLE,
        Reason.GENERATION_MOVED,
    }
)
"""Faults that came from the world of that moment: nothing that is recorded could bring them about again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """The same verdict, byte by byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Different:
    """Another verdict, or evidence that is not what was recorded.

    where: the first place that differs (`violations[0].message`), or what of the evidence is wrong.
    recorded, recomputed: what stands there; None where only the evidence is wrong.
    """

    where: str
    recorded: str | None = None
    recomputed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRecomputable:
    """The verdict rests on something that was not recorded because it cannot be: a timeout, a forge that was away."""

    why: str


Replayed: TypeAlias = "Same | Different | NotRecomputable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Computes recorded decisions again."""

    evidence: ReadEvidence
    engine: PolicyEngine

    async def __call__(self, decision: Decision) -> Replayed:
        """What came of it. Raises DatabaseUnavailable and EngineUnavailable: then nothing has been compared."""
        try:
            evidence = await self.evidence(decision)
            if evidence is None:
                return NotRecomputable(why=_first_fault(decision.verdict) or "it was not judged by bundles in force")
            again = await evidence.judged(self.engine, RecordedRelations(dict(decision.relations)))
        except Erased as problem:
            return NotRecomputable(why=f"its facts {problem}")
        except (StorageError, BundleRefused, NotCanonical) as problem:
            return Different(where=str(problem))
        except EngineBusy as problem:
            return NotRecomputable(why=str(problem))
        return _compared(decision, again)


def _compared(decision: Decision, again: Judgement) -> Replayed:
    recorded, recomputed = verdict_document(decision.verdict), verdict_document(again.verdict)
    if canonical(recorded) == canonical(recomputed):
        return Same()
    unrepeatable = _first_fault(decision.verdict)
    if unrepeatable is not None:
        return NotRecomputable(why=unrepeatable)
    if _without_informers_at_fault(decision.verdict, recorded) == _without_informers_at_fault(decision.verdict, recomputed):
        return NotRecomputable(why="a policy that only informs had failed, and may have failed by the moment: the rest is the same")
    if any(fault.reason in _OF_THE_MOMENT - {Reason.RELATIONS_REFUSED} for fault in again.verdict.faults):
        return NotRecomputable(why=f"computing it again failed: {again.verdict.faults[0].message}")
    where, here, there = first_difference(recorded, recomputed)
    if decision.engine.version != again.engine.version:
        where += f" (recorded by OPA {decision.engine.version}, recomputed by {again.engine.version})"
    return Different(where=where, recorded=here, recomputed=there)


def _first_fault(verdict: Verdict) -> str | None:
    """The first fault of the moment, if any had a part in the verdict."""
    return next((fault.message for fault in verdict.faults if fault.reason in _OF_THE_MOMENT), None)


def _without_informers_at_fault(verdict: Verdict, document: dict[str, Json]) -> Json:
    """The verdict without what `warn` and `dryrun` policies said that were undecided when it was recorded.

    Their faults block nothing and carry no code, so it cannot be told whether the moment was to blame.
    """
    at_fault = [
        {"bundle": result.policy.bundle, "package": result.policy.package}
        for result in verdict.policies
        if result.outcome is Outcome.UNDECIDED and result.enforcement.value != "deny"
    ]
    if not at_fault:
        return document
    kept: dict[str, Json] = {}
    for key, value in document.items():
        items = value if isinstance(value, list) else None
        kept[key] = value if items is None else [item for item in items if _policy_of(item) not in at_fault]
    del kept["reason"], kept["valid_until"]
    return kept


def _policy_of(item: Json) -> Json:
    if not isinstance(item, dict):
        return None
    return item["policy"] if "policy" in item else {key: item[key] for key in ("bundle", "package") if key in item}
