"""Publish a bundle: an archive in, checked and tested, and in force as a new generation. A bad one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gateway.domain.record import Generation
from gateway.errors import ManagedByFile
from gateway.operations.bring_into_force import BringIntoForce, Cause, Standing
from gateway.operations.bundle_rights import BundleRights
from gateway.storage import StoredToken
from policies import Enforcement, PolicyId
from policies.bundles import Bundle, BundleFiles, Match
from policies.bundles.archive import unpacked
from policies.bundles.manifest import ManifestRefused, read_manifest
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, EngineBusy, EngineError, EngineUnavailable, Problem
from policies.proving import proven_bundle
from providers.errors import TemporaryError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishBundle:
    """`PUT /v1/bundles/{name}`. opa: the binary to ask for a second opinion, where there is one."""

    bring: BringIntoForce
    engine: PolicyEngine
    rights: BundleRights
    opa: Path | None = None

    async def __call__(self, name: str, archive: bytes, *, by: StoredToken) -> tuple[Generation, Bundle]:
        """The generation in force afterwards, and the bundle. Publishing what is in force changes nothing.

        The right to it is the scope author, or the relation publisher to every organisation that it, or what it takes the
        place of, judges for. Raises NotAllowed, ManagedByFile, BundleRefused with every problem, and TemporaryError where the
        engine is away or busy, or the right cannot be found out.
        """
        before = await self.bring.storage.generation()
        refuse_by_file(Standing.of(before), name)
        files = await asyncio.to_thread(unpacked, name, archive)
        right = await self.rights(name, by, before, partial(_matches, files))
        bundle = await self._checked(name, files)
        if bundle.name != name:
            problem = Problem(path="bundle.yaml", message=f"name: expected '{name}', as it is published, found '{bundle.name}'")
            raise BundleRefused(name, [problem])

        def altered(standing: Standing) -> Standing:
            right.hold(standing)
            return with_bundle(standing, bundle)

        details = {"revision": bundle.revision, "digest": bundle.digest, **right.granted.details()}
        cause = Cause(who=by.name, what="bundle.published", about=name, details=details)
        return await self.bring(altered, cause=cause, keep=[bundle]), bundle

    async def _checked(self, name: str, files: BundleFiles) -> Bundle:
        try:
            return await proven_bundle(files, self.engine, opa=self.opa)
        except (EngineUnavailable, EngineBusy) as problem:
            raise TemporaryError(f"the bundle could not be checked: {problem}", retry_after=5) from problem
        except EngineError as problem:
            # it hung or killed the worker that compiled or tested it: the bundle's own doing
            what = Problem(message=f"expected a bundle that compiles and whose tests end in time, found: {problem}")
            raise BundleRefused(name, [what]) from problem


def _matches(files: BundleFiles) -> Sequence[Match]:
    """What its manifest says its policies judge, before anything of it is compiled."""
    try:
        return [policy.match for policy in read_manifest(files.files).policies]
    except ManifestRefused as refused:
        raise BundleRefused(files.name, refused.problems) from refused


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
