"""Publish a bundle: an archive in, checked and tested, and in force as a new generation. A bad one changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.domain.record import Generation
from gateway.errors import ManagedByFile
from gateway.operations.bring_into_force import BringIntoForce, Cause, Standing
from policies import Enforcement, PolicyId
from policies.bundles import Bundle
from policies.bundles.archive import unpacked
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, EngineError, EngineUnavailable, Problem
from policies.proving import proven_bundle
from providers.errors import TemporaryError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishBundle:
    """`PUT /v1/bundles/{name}`. opa: the binary to ask for a second opinion, where there is one."""

    bring: BringIntoForce
    engine: PolicyEngine
    opa: Path | None = None

    async def __call__(self, name: str, archive: bytes, *, by: str) -> tuple[Generation, Bundle]:
        """The generation in force afterwards, and the bundle. Publishing what is in force changes nothing.

        Raises ManagedByFile, BundleRefused with every problem, and TemporaryError where the engine is away or busy.
        """
        refuse_by_file(Standing.of(await self.bring.storage.generation()), name)
        bundle = await self._checked(name, archive)
        if bundle.name != name:
            problem = Problem(path="bundle.yaml", message=f"name: expected '{name}', as it is published, found '{bundle.name}'")
            raise BundleRefused(name, [problem])
        details = {"revision": bundle.revision, "digest": bundle.digest}
        cause = Cause(who=by, what="bundle.published", about=name, details=details)
        return await self.bring(lambda standing: with_bundle(standing, bundle), cause=cause, keep=[bundle]), bundle

    async def _checked(self, name: str, archive: bytes) -> Bundle:
        try:
            return await proven_bundle(await asyncio.to_thread(unpacked, name, archive), self.engine, opa=self.opa)
        except (EngineUnavailable, EngineBusy) as problem:
            raise TemporaryError(f"the bundle could not be checked: {problem}", retry_after=5) from problem
        except EngineError as problem:
            # it hung or killed the worker that compiled or tested it: the bundle's own doing
            what = Problem(message=f"expected a bundle that compiles and whose tests end in time, found: {problem}")
            raise BundleRefused(name, [what]) from problem


def with_bundle(standing: Standing, bundle: Bundle) -> Standing:
    """This bundle in place of the one of its name. What was set for policies it still has, stays set."""
    refuse_by_file(standing, bundle.name)
    known = {policy.id for policy in bundle.policies}

    def stays(policy: PolicyId) -> bool:
        return policy.bundle != bundle.name or policy in known

    kept: dict[PolicyId, Enforcement] = {policy: chosen for policy, chosen in standing.enforcement.items() if stays(policy)}
    return replace(standing, bundles={**standing.bundles, bundle.name: bundle.id}, enforcement=kept)


def refuse_by_file(standing: Standing, name: str) -> None:
    """Raises ManagedByFile for a bundle that the next start-up would bring back as it lies in its file."""
    if name in standing.by_file:
        raise ManagedByFile(
            f"bundle '{name}' is managed by file: admit.yaml names it",
            advice="change the file and restart the gateway, or take it out of `bundles:` and publish it from then on",
        )
