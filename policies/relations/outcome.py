"""What looking for a relation can come to, and how such outcomes combine under `or`, `and` and `but not`.

Pure: which outcome wins where several meet is a small algebra of its own, apart from how they are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple, TypeAlias, TypeGuard

from policies.errors import RelationsRefused
from policies.relations.proof import Proof, Together, Unless


class Negative(Enum):
    """The two ways of not being related: plainly, or as far as a circle lets one see."""

    NO = auto()
    CIRCLE = auto()


class Fault(NamedTuple):
    """What could not be said. `circle`: one was met beside it, so that no other operand may stand in for it."""

    problem: RelationsRefused
    circle: bool = False


Outcome: TypeAlias = Proof | Negative | Fault
"""A proof, a no, or a fault that may yet turn out not to matter."""

NO, CIRCLE = Negative.NO, Negative.CIRCLE


def is_proof(outcome: Outcome) -> TypeGuard[Proof]:
    return not isinstance(outcome, (Negative, Fault))


def any_of(outcomes: Iterable[Outcome]) -> Outcome:
    """`or`: the first proof; else a fault, if there was one; else a circle, if there was one; else no. Asks no further than it must."""
    faults: list[Fault] = []
    circle = False
    for outcome in outcomes:
        if isinstance(outcome, Fault):
            faults.append(outcome)
        elif isinstance(outcome, Negative):
            circle = circle or outcome is CIRCLE
        else:
            return outcome
    if faults:
        return Fault(faults[0].problem, circle or any(fault.circle for fault in faults))
    return CIRCLE if circle else NO


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """`and`: a circle, if there is one; else no, if there is one; else a fault, if there was one; else the proofs together."""
    if CIRCLE in outcomes:
        return CIRCLE
    fault = _fault(outcomes)
    if NO in outcomes and not (fault and fault.circle):
        return NO
    return fault or Together(tuple(outcome for outcome in outcomes if is_proof(outcome)))


def unless(base: Outcome, taken: Outcome) -> Outcome:
    """`but not`: a circle, if there is one; else no without the base or with the other; else a fault; else the base's proof."""
    if CIRCLE in (base, taken):
        return CIRCLE
    fault = _fault((base, taken))
    if (base is NO or is_proof(taken)) and not (fault and fault.circle):
        return NO
    if fault is not None:
        return fault
    assert is_proof(base)
    return Unless(base)


def _fault(outcomes: Iterable[Outcome]) -> Fault | None:
    """The one to report: the first that met a circle, else the first."""
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    return next((fault for fault in faults if fault.circle), faults[0] if faults else None)
