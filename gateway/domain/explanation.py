"""A decision in plain words."""

from __future__ import annotations

from typing import assert_never

from gateway.domain.record import Decision
from policies import Outcome


def subject_of(decision: Decision) -> str:
    """What the decision is about, in one line."""
    if decision.change is not None:
        change = decision.change
        return f"{change.repository}#{change.number}: {change.title}"
    return f"workflow {decision.workflow}" if decision.workflow else decision.action.value


def sentence(decision: Decision) -> str:
    """One sentence: what was decided and the first reason."""
    verdict, what = decision.verdict, "merged" if decision.change is not None else "run"
    match decision.outcome:
        case Outcome.ADMITTED:
            return f"This may be {what}: {verdict.reason}."
        case Outcome.DENIED:
            count = len(verdict.violations)
            reasons = "one thing stands" if count == 1 else f"{count} things stand"
            return f"This may not be {what}: {reasons} against it. First: {verdict.reason}."
        case Outcome.HELD:
            return f"This may not be {what} yet: it waits for people. First: {verdict.reason}."
        case Outcome.UNDECIDED:
            return f"Whether this may be {what} could not be decided, so it may not: {verdict.reason}."
        case _:
            assert_never(decision.outcome)
