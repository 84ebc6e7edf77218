"""Which bundles are in force: brought there as one generation, and read back for every judgement."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.domain.record import Generation
from gateway.errors import StorageError, UnknownThing
from gateway.storage import Storage
from policies import BundleId, Digest, Enforcement, PolicyId
from policies.bundles import Bundle, BundleFiles
from policies.bundles.checking import checked_bundle
from policies.engines import PolicyEngine

_REMEMBERED = 256
"""Checked bundles that are kept at hand."""
_RECENT = 1.0
"""Seconds for which what was in force is good enough for whoever records under its guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The bundles of the newest generation, checked once per digest and kept."""

    storage: Storage
    engine: PolicyEngine
    _checked: dict[Digest, Bundle] = field(default_factory=dict)
    _seen: list[tuple[float, Generation, tuple[Bundle, ...]]] = field(default_factory=list)

    async def recent(self) -> tuple[Generation, tuple[Bundle, ...]]:
        """What was in force a moment ago, without asking the database each time.

        Only for a judgement that is recorded under its generation's guard: recording refuses it where that has moved.
        Raises as a call does.
        """
        now = time.monotonic()
        if self._seen and now - self._seen[0][0] < _RECENT:
            return self._seen[0][1:]
        return await self()

    async def __call__(self) -> tuple[Generation, tuple[Bundle, ...]]:
        """The generation in force and its bundles. Raises UnknownThing before the first, BundleRefused, StorageError."""
        asked_at = time.monotonic()
        generation = await self.storage.generation()
        if generation is None:
            raise UnknownThing("no bundle is in force", advice="name one under `bundles:` in admit.yaml, or publish one")
        bundles = await self.of(generation)
        self._seen[:] = [(asked_at, generation, bundles)]
        return generation, bundles

    async def of(self, generation: Generation) -> tuple[Bundle, ...]:
        """The bundles of any generation, enforced as it says. Raises BundleRefused, StorageError."""
        chosen = dict(generation.enforcement)
        return tuple([enforced(await self.bundle(id), chosen) for id in generation.bundles])

    async def bundle(self, id: BundleId) -> Bundle:
        """One bundle by its digest, whether in force or recorded in a decision, enforced as its manifest says.

        Raises BundleRefused, StorageError.
        """
        bundle = self._checked.get(id.digest)
        if bundle is None:
            files = await self.storage.bundle_files(id.digest)
            if files is None:
                raise StorageError(f"bundle '{id.name}' {id.digest} is named by the record but its files are not there")
            # Its tests passed when it came into force; what is read back only has to be the same and still load.
            bundle = await checked_bundle(BundleFiles(name=id.name, files=files), self.engine, run_tests=False)
            if bundle.digest != id.digest:
                raise StorageError(f"bundle '{id.name}' was recorded as {id.digest}, its stored files come to {bundle.digest}")
        self.remember(bundle)
        return bundle

    def remember(self, bundle: Bundle) -> None:
        """Keep a bundle that has been checked at hand, and let go of what was not wanted for longest."""
        self._checked.pop(bundle.digest, None)
        self._checked[bundle.digest] = bundle
        while len(self._checked) > _REMEMBERED:
            del self._checked[next(iter(self._checked))]


def enforced(bundle: Bundle, chosen: Mapping[PolicyId, Enforcement]) -> Bundle:
    """The bundle with the enforcement somebody chose for single policies."""
    if not any(policy.id in chosen for policy in bundle.policies):
        return bundle
    policies = tuple(replace(policy, enforcement=chosen.get(policy.id, policy.enforcement)) for policy in bundle.policies)
    return replace(bundle, policies=policies)
