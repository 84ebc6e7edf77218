"""What a recorded decision was based on, read back whole: its request, the bundles as they were enforced, and the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.domain.record import Decision
from gateway.errors import StorageError
from gateway.operations.in_force import InForce, enforced
from gateway.storage import Storage
from policies import AdmissionRequest, BundleId, ChangeFacts, Judgement, WorkflowFacts, canonical
from policies.bundles import Bundle
from policies.bundles.checking import bundle_digest
from policies.decide import Bench, decide
from policies.document import approvals_from
from policies.engines import PolicyEngine
from policies.holds import settled
from policies.relations import Relations
from policies.repository import OwnFiles, OwnPolicies, decide_with_own, is_own, recalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """own: what the change's repository said for itself, if it said anything."""

    request: AdmissionRequest
    bundles: tuple[Bundle, ...]
    own: OwnFiles | None

    def with_bundle(self, bundle: Bundle) -> Evidence:
        """As if this one had been in force, in place of the one of its name."""
        others = tuple(known for known in self.bundles if known.name != bundle.name)
        return replace(self, bundles=(*others, bundle))

    async def judged(self, engine: PolicyEngine, relations: Relations) -> Judgement:
        """What it comes to. Raises EngineBusy and NotCanonical."""
        bench = Bench(engine=engine, relations=relations)
        if self.own is None:
            judgement = await decide(self.request, self.bundles, bench)
        else:
            judgement = await decide_with_own(self.request, self.bundles, self.own, OwnPolicies(engine=engine), bench)
        return await settled(judgement, self.request, relations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvidence:
    """Reads it back, and checks every digest on the way."""

    storage: Storage
    in_force: InForce

    async def __call__(self, decision: Decision) -> Evidence | None:
        """None where there is none: the facts could not be had, or no bundles.

        Raises StorageError where something is missing or has been changed, naming it, and BundleRefused.
        """
        facts = await self.storage.blob(decision.input_digest)
        if facts is None:
            raise StorageError(f"the facts {decision.input_digest} are not kept any more")
        request = _request(facts)
        if request is None or decision.generation == 0:
            return None
        generation = await self.storage.generation_numbered(decision.generation)
        if generation is None:
            raise StorageError(f"generation {decision.generation} is not kept: what was enforced then cannot be told")
        chosen = dict(generation.enforcement)
        bundles = tuple([enforced(await self._bundle(id), chosen) for id in decision.bundles if not is_own(id)])
        own = recalled([(id, await self._files(id)) for id in decision.bundles if is_own(id)], request)
        return Evidence(request=request, bundles=bundles, own=own)

    async def _files(self, id: BundleId) -> Mapping[str, bytes]:
        """What a repository brought itself, whether or not it loads."""
        files = await self.storage.bundle_files(id.digest)
        if files is None or bundle_digest(files) != id.digest:
            raise StorageError(f"the files of '{id.name}', {id.digest}, are not there as they were recorded")
        return files

    async def _bundle(self, id: BundleId) -> Bundle:
        try:
            return await self.in_force.bundle(id)
        except StorageError as problem:
            raise StorageError(f"bundle '{id.name}', revision {id.revision}: {problem}") from problem


def _request(facts: bytes) -> AdmissionRequest | None:
    """The request these facts were; None where the facts could not be had. Raises StorageError if they are no facts at all."""
    try:
        document: dict[str, Any] = json.loads(facts)
        if "fault" in document:
            return None
        thing = ChangeFacts(document=document["change"]) if "change" in document else WorkflowFacts(document=document["workflow"])
        said = document.get("approvals")
        request = AdmissionRequest(
            subject=document["subject"],
            thing=thing,
            time=datetime.fromisoformat(document["time"]),
            approvals=approvals_from(said) if said is not None else None,
            code_owners=document.get("code_owners"),
        )
    except (ValueError, KeyError, TypeError) as problem:
        raise StorageError(f"the recorded facts cannot be read: {problem!r}") from problem
    if canonical(request.document()) != facts:
        raise StorageError("the recorded facts say more than a request does")
    return request
