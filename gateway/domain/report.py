"""What is posted on a commit: one status for (repository, sha, context), the worst verdict of all that share it.

A status belongs to a commit, and one commit can be in several changes; so the target branch is in the context, and every
open change with that head and target counts. Success is for admitted, and for what somebody who may has overridden, which
the description then begins with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from gateway.domain.override import in_force, in_words
from gateway.domain.record import Decision, DecisionId, Override, TrackedChange
from gateway.domain.report_details import annotations_of, summary_of
from policies import Outcome
from providers.vcs import Status, StatusState

CONTEXT_PREFIX = "admit/"
DESCRIPTION_LIMIT = 140
"""GitHub's limit in characters; the other forges take more."""

_WORST_FIRST = (Outcome.DENIED, Outcome.UNDECIDED, Outcome.HELD, Outcome.ADMITTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a head stands for a target: the decision that is worst, or None where a change of it was never judged.

    override: what stands beside that decision, where nothing without one is worse than admitted.
    """

    outcome: Outcome | None
    decision: DecisionId | None
    override: Override | None = None


def context_for(target_branch: str) -> str:
    """`admit/<target branch>`."""
    return CONTEXT_PREFIX + target_branch


def worst(changes: Sequence[TrackedChange], target_branch: str, *, at: datetime) -> Standing | None:
    """The standing of all open changes onto `target_branch`; one that was never judged keeps the status pending.

    What is overridden at that time does not hold back, but shows before what is admitted.

    None: no open change onto that branch, so there is nothing to say.
    """
    concerned = [change for change in changes if change.state == "open" and change.ref.target_branch == target_branch]
    if not concerned:
        return None
    overridden = [change for change in concerned if change.decision_id is not None and in_force(change.override, at)]
    concerned = [change for change in concerned if change not in overridden]
    if overridden and all(change.outcome is Outcome.ADMITTED for change in concerned):
        first = overridden[0]
        return Standing(outcome=first.outcome, decision=first.decision_id, override=first.override)
    judged = sorted((c for c in concerned if c.outcome is not None), key=lambda c: _WORST_FIRST.index(c.outcome))
    if judged and judged[0].outcome in (Outcome.DENIED, Outcome.UNDECIDED):
        return Standing(outcome=judged[0].outcome, decision=judged[0].decision_id)
    if len(judged) < len(concerned):
        return Standing(outcome=None, decision=None)
    return Standing(outcome=judged[0].outcome, decision=judged[0].decision_id)


def status_for(decision: Decision, *, target_branch: str, public_url: str, override: Override | None = None) -> Status:
    """The decision as a status: names the first thing missing and leads to the decision's page.

    override: one in force; it opens the gate, and says so before it says what was decided.
    """
    return Status(
        context=context_for(target_branch),
        state=state_for(decision.outcome) if override is None else StatusState.SUCCESS,
        description=shortened(_description(decision) if override is None else f"{in_words(override)}. {_description(decision)}"),
        target_url=decision_url(public_url, decision.id),
        summary=summary_of(decision),
        annotations=annotations_of(decision),
    )


def pending_status(*, target_branch: str, public_url: str, why: str) -> Status:
    """Not judged yet."""
    return Status(
        context=context_for(target_branch), state=StatusState.PENDING, description=shortened(why), target_url=public_url.rstrip("/") + "/"
    )


def decision_url(public_url: str, decision: DecisionId) -> str:
    """The page of a decision."""
    return f"{public_url.rstrip('/')}/decisions/{decision}"


def state_for(outcome: Outcome) -> StatusState:
    """Success only for admitted; what is overridden says so (`status_for`)."""
    match outcome:
        case Outcome.ADMITTED:
            return StatusState.SUCCESS
        case Outcome.DENIED:
            return StatusState.FAILURE
        case Outcome.HELD:
            return StatusState.PENDING
        case Outcome.UNDECIDED:
            return StatusState.ERROR
        case _:
            assert_never(outcome)


def shortened(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """One line of at most `limit` characters; control characters and line breaks become spaces."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _description(decision: Decision) -> str:
    verdict = decision.verdict
    match decision.outcome:
        case Outcome.ADMITTED:
            return f"Admitted: {verdict.reason}"
        case Outcome.DENIED:
            return f"Denied: {verdict.reason}" + _more(len(verdict.violations))
        case Outcome.HELD:
            return f"Held: {verdict.reason}" + _more(len(verdict.holds))
        case Outcome.UNDECIDED:
            return f"Undecided: {verdict.reason}" + _more(len(verdict.faults))
        case _:
            assert_never(decision.outcome)


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
