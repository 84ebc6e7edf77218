"""Judge on request: a change by its URL, with facts from its forge; or a document of facts someone provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from gateway.domain.admission import change_ref, merge_request, provided_ref
from gateway.domain.clock import Clock
from gateway.domain.record import ChangeRef, Decision, FactsOrigin, decision_document, written
from gateway.errors import GenerationMoved, UnknownThing
from gateway.operations.judge import Judge
from gateway.operations.judge_change import JudgeChange
from gateway.operations.own_policies import read_own_policies
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage
from gateway.storage.keys import is_name
from policies import AdmissionRequest, canonical
from policies.document import request_from_document
from policies.errors import RequestRefused
from providers.errors import TemporaryError
from providers.vcs import ChangeKey, Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOnRequest:
    """`POST /v1/admissions`.

    guarded: judges by what was in force a moment ago, for what is recorded under its generation's guard.
    """

    judge: Judge
    guarded: Judge
    judge_change: JudgeChange
    forges: Mapping[str, Forge]
    storage: Storage
    clock: Clock
    _sealing: list[str] = field(default_factory=list)

    async def change(self, url: str, *, dry_run: bool) -> bytes:
        """Gather, judge, record and report like an event would; a dry run only gathers and judges. The decision's document.

        Raises UnknownThing (no connection's URL, or nothing there to judge), EngineBusy, and what the forge raises.
        """
        connection, key = self._located(url)
        if not dry_run:
            decision = await self.judge_change(connection, key)
            if decision is None:
                raise UnknownThing(f"{url} is closed, merged or gone: there is nothing to judge")
            return canonical(decision_document(decision))
        change = await self.forges[connection].read_change(key)
        own = await read_own_policies(self.forges[connection], change)
        owners = await self.judge_change.gather.code_owners.if_wanted(self.forges[connection], change, own)
        request = merge_request(change, at=self.clock(), code_owners=owners)
        decision, _ = await self.judge(request, facts=FactsOrigin.GATHERED, change=change_ref(change), own=own)
        return canonical(decision_document(decision))

    async def facts(self, document: object, *, dry_run: bool) -> bytes:
        """Judge provided facts; the decision's document. Recorded as provided; it is about no tracked change and is never reported.

        Raises RequestRefused (the document does not fit the schema), NotCanonical, EngineBusy.
        """
        request = request_from_document(document, at=self.clock())
        about = _recordable(request)
        if dry_run:
            return written((await self.judge(request, facts=FactsOrigin.PROVIDED, change=about))[0])
        for judge in (self.guarded, self.judge, self.judge):
            decision, blob = await judge(request, facts=FactsOrigin.PROVIDED, change=about)
            try:
                return await self._recorded(decision, blob)
            except GenerationMoved:
                continue
        raise TemporaryError("other bundles came into force again and again while this was judged")

    async def _recorded(self, decision: Decision, blob: bytes) -> bytes:
        seal = seal_dispatch(self.clock())
        known = seal.id in self._sealing  # written by this process before, so that writing it again would change nothing
        document = written(decision)
        recorded = await self.storage.record_decision(
            decision,
            facts=blob,
            change=None,
            generation=decision.generation or None,
            dispatches=[] if known else [seal],
            document=document,
        )
        self._sealing[:] = [seal.id]
        return document if recorded is decision else canonical(decision_document(recorded))

    def _located(self, url: str) -> tuple[str, ChangeKey]:
        for name, forge in self.forges.items():
            if (key := forge.locate(url)) is not None:
                return name, key
        raise UnknownThing(f"{url} is not a change of any connection", advice="add its forge under `connections:` in admit.yaml")


def _recordable(request: AdmissionRequest) -> ChangeRef | None:
    """Which change provided facts are about. Raises RequestRefused for facts about none that can be, or at no time that can."""
    try:
        request.time.astimezone(UTC)
    except OverflowError as problem:
        raise RequestRefused("time: expected one between the years 1 and 9999 in UTC, found one beyond") from problem
    about = provided_ref(request)
    if about is not None and not 0 < about.number < 2**63:
        raise RequestRefused(f"change.number: expected a whole number from 1, found {about.number}")
    if about is not None and not is_name(about.connection):
        raise RequestRefused("change.connection: expected a name of at most 191 printable characters")
    return about
