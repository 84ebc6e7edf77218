"""Policies that may look at facts a request does not have: each is at fault, and never asked as if there were none.

To Rego an absent fact is undefined, so that a rule against a change does not hold: nothing but this stands between
"not read" and "admitted".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from policies.bundles import Bundle, Policy
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, EngineError
from policies.model import ChangeFacts, Fault, PolicyId, Reason

if TYPE_CHECKING:
    from policies.footprint import Footprint
    from policies.verdict import Plan


class FootprintsOf(Protocol):
    """Knows what the policies of a bundle can look at."""

    async def __call__(self, bundle: Bundle, *, fair_share: str = "") -> Mapping[PolicyId, Footprint]:
        """Raises BundleRefused, EngineError."""


async def looking_at_absent_facts(
    selection: Plan, engine: PolicyEngine, known: FootprintsOf | None, fair_share: str
) -> dict[PolicyId, Fault]:
    """A fault for each selected policy that may look at what is not there. known: remembers footprints. Raises EngineBusy."""
    thing = selection.request.thing
    if not isinstance(thing, ChangeFacts) or not thing.absent:
        return {}
    faults: dict[PolicyId, Fault] = {}
    for bundle in selection.bundles.values():
        policies = [policy for policy in selection.selected if policy.id.bundle == bundle.name]
        if policies:
            faults |= await _faults(bundle, policies, thing.absent, engine, known, fair_share)
    return faults


async def _faults(
    bundle: Bundle, policies: Sequence[Policy], absent: frozenset[str], engine: PolicyEngine, known: FootprintsOf | None, fair_share: str
) -> dict[PolicyId, Fault]:
    from policies.footprint import footprints  # where every fact is there nobody has to follow anything

    try:
        found = await (footprints(bundle, engine, fair_share=fair_share) if known is None else known(bundle, fair_share=fair_share))
    except EngineBusy:
        raise
    except (EngineError, BundleRefused) as problem:
        why = f"what policies of bundle '{bundle.name}' look at cannot be told, and facts are missing: {problem}"
        return {policy.id: Fault(reason=Reason.ENGINE_UNAVAILABLE, message=why, policy=policy.id) for policy in policies}
    return dict(_missing(policies, found, absent))


def _missing(policies: Sequence[Policy], found: Mapping[PolicyId, Footprint], absent: frozenset[str]) -> Iterator[tuple[PolicyId, Fault]]:
    for policy in policies:
        looked_at = sorted(fact for fact in absent if found[policy.id].reads(("change", fact)))
        if looked_at:
            facts = ", ".join(f"change.{fact}" for fact in looked_at)
            message = f"policy {policy.id} may look at {facts}, and these facts do not have that"
            yield policy.id, Fault(reason=Reason.FACTS_MISSING, message=message, policy=policy.id)
