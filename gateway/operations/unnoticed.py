"""Let a decision stand where what happened to its change could be noticed by no policy in force: nothing is read or judged.

The change is left as known, so that the next look for what webhooks did not tell reads it all the same: an event that
came while another was lost hides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from gateway.domain.noticing import could_notice, stands_until_noticed
from gateway.domain.record import Decision, TrackedChange
from gateway.errors import StorageError, UnknownThing
from gateway.operations.footprints import Footprints
from gateway.operations.in_force import InForce
from gateway.storage import Storage
from policies.bundles import Bundle, Policy
from policies.bundles.matching import matches_merge
from policies.errors import BundleRefused, EngineError
from providers.vcs import ChangeKey, ChangeState

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnoticed:
    """Asks the footprints of the policies in force."""

    storage: Storage
    in_force: InForce
    footprints: Footprints

    async def __call__(self, connection: str, key: ChangeKey, touches: frozenset[str], *, head_sha: str | None) -> Decision | None:
        """The decision that stands although these facts may be others now; None = judge. head_sha: where the event says it."""
        change = await self.storage.change(connection, key.repository, key.number)
        if change is None or change.state != ChangeState.OPEN or change.decision_id is None:
            return None
        if head_sha not in (None, change.ref.head_sha):
            return None
        decision = await self.storage.decision(change.decision_id)
        if decision is None or not stands_until_noticed(decision):
            return None
        try:
            _, bundles = await self.in_force()
            noticed = await self._noticed(decision, change, bundles, touches)
        except (UnknownThing, BundleRefused, EngineError, StorageError):
            return None  # judging says what is wrong
        if noticed:
            return None
        log.info("nobody could notice", repository=key.repository, number=key.number, touches=sorted(touches), decision=decision.id)
        return decision

    async def _noticed(self, decision: Decision, change: TrackedChange, bundles: tuple[Bundle, ...], touches: frozenset[str]) -> bool:
        """Other bundles, or others of their policies, than those that judged notice everything."""
        if tuple(bundle.id for bundle in bundles) != decision.bundles:
            return True
        matching = [(bundle, policy) for bundle in bundles for policy in bundle.policies if _matches(policy, change)]
        judged = {(result.policy, result.enforcement) for result in decision.verdict.policies}
        if judged != {(policy.id, policy.enforcement) for _, policy in matching}:
            return True
        return any(
            [
                "questions" in policy.rules or could_notice((await self.footprints(bundle))[policy.id], touches)
                for bundle, policy in matching
            ]
        )


def _matches(policy: Policy, change: TrackedChange) -> bool:
    ref = change.ref
    return matches_merge(policy.match, connection=ref.connection, repository=ref.repository, branch=ref.target_branch)
