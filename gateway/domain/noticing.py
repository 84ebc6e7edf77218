"""Whether what happened to a change could be noticed by the policies that judge it. Pure.

In doubt the answer is yes: a judgement too many costs a second, one too few leaves a verdict that is not true any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.domain.record import Decision, FactsOrigin
from policies import Outcome
from policies.footprint import Footprint
from policies.repository import is_own

_AT_ANY_TIME = ("base", "dependencies", "mergeable", "updated_at")
"""Facts of a change that alter without an event of their own, or with every event."""
_NOT_FACTS = (("time",), ("relations",), ("approvals",), ("code_owners",))
"""Of the input, and another at every judgement."""


def could_notice(footprint: Footprint, touches: Iterable[str]) -> bool:
    """Whether a policy with this footprint could come to another result once these facts of a change are others."""
    facts = [("change", fact) for fact in {*touches, *_AT_ANY_TIME}]
    return any(footprint.reads(path) for path in (*facts, *_NOT_FACTS))


def stands_until_noticed(decision: Decision) -> bool:
    """Whether a decision depends on nothing but its facts and bundles: no people, no clock, no relationship, no fault.

    A repository's own policies are followed by nobody, so a decision by them does not.
    """
    verdict = decision.verdict
    return (
        decision.facts is FactsOrigin.GATHERED
        and decision.outcome in (Outcome.ADMITTED, Outcome.DENIED)
        and not (verdict.faults or verdict.holds or decision.relations)
        and verdict.valid_until is None
        and all(result.outcome in (Outcome.ADMITTED, Outcome.DENIED) for result in verdict.policies)
        and not any(is_own(bundle) for bundle in decision.bundles)
    )
