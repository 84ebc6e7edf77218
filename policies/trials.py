"""Cases tried: each judged whole, as a request would be, and compared with what its author expects.

Separate from reading them (`policies.bundles.cases`), because this one needs an engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from policies.bundles import Bundle
from policies.bundles.cases import Case
from policies.decide import Bench, decide
from policies.engines import PolicyEngine
from policies.errors import NotCanonical, RelationsError
from policies.model import Outcome, Verdict
from policies.relations import Relations
from policies.relations.assumed import AssumedRelations
from policies.relations.local import LocalRelations


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something a case says and the verdict does not."""

    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedCase:
    """What a case came to. error: why it could not be judged at all; a case with an error has failed."""

    case: Case
    differences: tuple[Difference, ...] = ()
    verdict: Verdict | None = None
    error: str | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.verdict is not None and not self.differences and self.error is None


async def tried(cases: Sequence[Case], bundle: Bundle, engine: PolicyEngine) -> tuple[TriedCase, ...]:
    """Every case judged by its bundle, in order. A case that is wrong raises nothing; EngineBusy is no case's fault."""
    return tuple([await _tried(case, bundle, engine) for case in cases])


async def _tried(case: Case, bundle: Bundle, engine: PolicyEngine) -> TriedCase:
    started = time.perf_counter()
    if case.package is not None:
        bundle = replace(bundle, policies=tuple(policy for policy in bundle.policies if policy.id.package == case.package))
    try:
        judgement = await decide(case.request, [bundle], Bench(engine=engine, relations=_relations(case)))
    except (RelationsError, NotCanonical) as problem:
        return TriedCase(case=case, error=str(problem), seconds=time.perf_counter() - started)
    differences = tuple(_differences(case, judgement.verdict))
    return TriedCase(case=case, differences=differences, verdict=judgement.verdict, seconds=time.perf_counter() - started)


def _relations(case: Case) -> Relations:
    """Raises RelationsRefused for a store file that cannot be used."""
    return AssumedRelations(case.related or ()) if case.store is None else LocalRelations.from_store_file(case.store)


def _differences(case: Case, verdict: Verdict) -> Iterator[Difference]:
    if verdict.outcome is not case.outcome:
        yield Difference(what="outcome", expected=case.outcome.value, found=f"{verdict.outcome.value}: {verdict.reason}")
    if case.messages is not None:
        yield from _compared("message", case.messages, in_the_way(verdict))
    if case.warnings is not None:
        yield from _compared("warning", case.warnings, [warning.message for warning in verdict.warnings])


def in_the_way(verdict: Verdict) -> list[str]:
    """The messages of everything that stands in the way; of faults only where nothing worse is known."""
    found = [violation.message for violation in verdict.violations] + [hold.message for hold in verdict.holds]
    return found + [fault.message for fault in verdict.faults] if verdict.outcome is Outcome.UNDECIDED else found


def why_failed(tried: TriedCase) -> Iterator[str]:
    """One line for each thing that is not as the case says."""
    if tried.error is not None:
        yield f"could not be judged: {tried.error}"
    for difference in tried.differences:
        yield f"{difference.what}: expected {difference.expected}, found {difference.found}"


def _compared(what: str, expected: Sequence[str], found: Sequence[str]) -> Iterator[Difference]:
    """As bags: a message said twice has to be expected twice."""
    left = list(found)
    for message in expected:
        if message in left:
            left.remove(message)
        else:
            yield Difference(what=what, expected=message, found="nothing" if not found else "; ".join(found))
    for message in left:
        yield Difference(what=what, expected="nothing", found=message)
