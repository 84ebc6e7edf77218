"""Judge: put a request to the bundles in force and write the answer as a decision, not yet recorded."""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING, Protocol

from gateway.domain.clock import Clock
from gateway.domain.record import ChangeRef, Decision, DecisionId, FactsOrigin, Generation, verdict_document
from gateway.errors import StorageError, UnknownThing
from policies import Action, AdmissionRequest, Fault, Judgement, Reason, Verdict, WorkflowFacts, canonical, digest
from policies.bundles import Bundle
from policies.decide import Bench, decide
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, NotCanonical
from policies.holds import settled
from policies.values import value

if TYPE_CHECKING:
    from policies.absent import FootprintsOf
    from policies.relations import Relations
    from policies.repository import OwnFiles, OwnPolicies


class BundlesInForce(Protocol):
    """Says which bundles judge. `InForce` asks storage; a dry run has its own."""

    async def __call__(self) -> tuple[Generation, tuple[Bundle, ...]]:
        """Raises UnknownThing where there are none, BundleRefused, StorageError."""


@value
class Judge:
    """Judges requests by what is in force. own_policies: loads what a repository says for itself; None = made for each judgement.

    footprints: remembers what policies look at; None = followed for each judgement of facts that are not whole.
    """

    in_force: BundlesInForce
    engine: PolicyEngine
    relations: Relations
    clock: Clock
    own_policies: OwnPolicies | None = None
    footprints: FootprintsOf | None = None

    async def __call__(
        self, request: AdmissionRequest, *, facts: FactsOrigin, change: ChangeRef | None, own: OwnFiles | None = None
    ) -> tuple[Decision, bytes]:
        """The decision and the blob of the facts it names. own: what the change's repository says for itself.

        Raises EngineBusy (come back later) and NotCanonical (facts JSON cannot carry); every other fault is in the verdict.
        """
        started = time.monotonic()
        number = 0
        try:
            generation, bundles = await self.in_force()
            number = generation.number
            share = change.repository if change else ""
            bench = Bench(engine=self.engine, relations=self.relations, fair_share=share, footprints=self.footprints)
            if own is None or not own.evidence:
                judgement = await decide(request, bundles, bench)
            else:
                from policies.repository import OwnPolicies, decide_with_own  # a dry run of documents never comes here

                policies = self.own_policies or OwnPolicies(engine=self.engine)
                judgement = await decide_with_own(request, bundles, own, policies, bench)
            judgement = await settled(judgement, request, self.relations)
        except (UnknownThing, BundleRefused, StorageError) as problem:
            judgement = self._broken(request, f"the bundles in force cannot be used: {problem}")
        decision = Decision(
            id=new_decision_id(),
            at=self.clock(),
            action=request.action,
            subject=str(request.subject["ref"]),
            change=change,
            workflow=request.thing.name if isinstance(request.thing, WorkflowFacts) else None,
            verdict=_recordable(judgement.verdict),
            bundles=judgement.bundles,
            engine=judgement.engine,
            generation=number,
            facts=facts,
            input_digest=digest("facts", judgement.facts),
            relations=tuple(sorted(judgement.relations.items())),
            relations_model=judgement.relations_model,
            policies_commit=own.commit if own is not None and own.evidence else None,
            microseconds=round((time.monotonic() - started) * 1_000_000),
        )
        return decision, judgement.facts

    async def without_facts(self, change: ChangeRef, reason: Reason, message: str) -> tuple[Decision, bytes]:
        """An undecided decision on a change whose facts could not be had; the blob says which change and why."""
        fault = Fault(reason=reason, message=message)
        blob = canonical(
            {
                "version": 1,
                "change": {"url": change.url, "head_sha": change.head_sha, "target_branch": change.target_branch},
                "fault": {"reason": reason.value, "message": message},
            }
        )
        try:
            number = (await self.in_force())[0].number
        except (UnknownThing, BundleRefused, StorageError):
            number = 0  # the fault at hand is what is recorded; that the bundles are broken too changes nothing
        decision = Decision(
            id=new_decision_id(),
            at=self.clock(),
            action=Action.MERGE,
            subject="",
            change=change,
            workflow=None,
            verdict=Verdict(faults=(fault,)),
            bundles=(),
            engine=self.engine.info,
            generation=number,
            facts=FactsOrigin.GATHERED,
            input_digest=digest("facts", blob),
        )
        return decision, blob

    def _broken(self, request: AdmissionRequest, message: str) -> Judgement:
        verdict = Verdict(faults=(Fault(reason=Reason.BUNDLE_BROKEN, message=message),))
        return Judgement(facts=canonical(request.document()), verdict=verdict, bundles=(), engine=self.engine.info)


def _recordable(verdict: Verdict) -> Verdict:
    """The verdict, or undecided where it cannot be written down: never recorded, it would leave an older one standing.

    Policies may come to numbers no JSON reader keeps and to times beyond the calendar.
    """
    try:
        if verdict.violations or verdict.holds or verdict.warnings or verdict.valid_until:
            canonical(verdict_document(verdict))
    except (NotCanonical, OverflowError) as problem:
        message = f"what the policies found cannot be recorded: {problem}"
        return Verdict(faults=(*verdict.faults, Fault(reason=Reason.POLICY_WRONG_SHAPE, message=message)), policies=verdict.policies)
    return verdict


def new_decision_id() -> DecisionId:
    """192 random bits: whoever has a decision's link may see its outcome, so nobody may guess one.

    Never with a dash at the beginning: on a command line that would be an option. As `secrets.token_urlsafe`, which loads more
    than it takes.
    """
    while (id := base64.urlsafe_b64encode(os.urandom(24)).decode()).startswith("-"):
        pass
    return DecisionId(id)
