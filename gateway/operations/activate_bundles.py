"""Activate what admit.yaml names: its bundles come into force at start-up, beside those that were published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.domain.record import Generation
from gateway.operations.bring_into_force import BringIntoForce, Cause, Standing
from policies import Json
from policies.bundles import Bundle, BundleSource
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, Problem
from policies.proving import proven_bundle

BY_FILE = "admit.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateBundles:
    """Check every bundle of the sources and bring them into force together; a bad one changes nothing.

    What files brought before and name no more goes; what was published stays, unless a file now has its name.
    opa: the binary to ask for a second opinion, where there is one.
    """

    bring: BringIntoForce
    engine: PolicyEngine
    opa: Path | None = None

    async def __call__(self, sources: Iterable[BundleSource]) -> Generation:
        """The generation in force afterwards (the same as before when nothing is new). Raises BundleRefused."""
        found = [files for source in sources for files in await source.bundles()]
        bundles = [await proven_bundle(files, self.engine, opa=self.opa) for files in found]
        _refuse_twins(bundles)
        named: list[Json] = [{"name": b.name, "revision": b.revision, "digest": b.digest} for b in bundles]
        cause = Cause(who=BY_FILE, what="bundles.activated", about=BY_FILE, details={"bundles": named})
        return await self.bring(lambda standing: _with_files(standing, bundles), cause=cause, keep=bundles)


def _with_files(standing: Standing, bundles: Sequence[Bundle]) -> Standing:
    names = {bundle.name for bundle in bundles}
    for name in sorted(standing.by_file | names):
        standing = standing.without(name)
    brought = {bundle.name: bundle.id for bundle in bundles}
    return replace(standing, bundles={**standing.bundles, **brought}, by_file=frozenset(names))


def _refuse_twins(bundles: Sequence[Bundle]) -> None:
    seen: set[str] = set()
    for bundle in bundles:
        if bundle.name in seen:
            problem = Problem(message="two bundles have this name", advice="rename one in its bundle.yaml")
            raise BundleRefused(bundle.name, [problem])
        seen.add(bundle.name)
