"""Which bundles are in force: brought there as one generation, and read back for every judgement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.domain.clock import Clock
from gateway.domain.record import Generation
from gateway.errors import StorageError, UnknownThing
from gateway.storage import Storage, StoredBundle
from policies import BundleId, Digest
from policies.bundles import Bundle, BundleFiles, BundleSource
from policies.bundles.checking import checked_bundle
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The bundles of the newest generation, checked once per digest and kept."""

    storage: Storage
    engine: PolicyEngine
    _checked: dict[Digest, Bundle] = field(default_factory=dict)

    async def __call__(self) -> tuple[Generation, tuple[Bundle, ...]]:
        """The generation in force and its bundles. Raises UnknownThing before the first, BundleRefused, StorageError."""
        generation = await self.storage.generation()
        if generation is None:
            raise UnknownThing("no bundle is in force", advice="name one under `bundles:` in admit.yaml")
        return generation, tuple([await self.bundle(id) for id in generation.bundles])

    async def bundle(self, id: BundleId) -> Bundle:
        """One bundle by its digest, whether in force or recorded in a decision."""
        if id.digest not in self._checked:
            files = await self.storage.bundle_files(id.digest)
            if files is None:
                raise StorageError(f"bundle '{id.name}' {id.digest} is named by the record but its files are not there")
            # Its tests passed when it came into force; what is read back only has to be the same and still load.
            bundle = await checked_bundle(BundleFiles(name=id.name, files=files), self.engine, run_tests=False)
            if bundle.digest != id.digest:
                raise StorageError(f"bundle '{id.name}' was recorded as {id.digest}, its stored files come to {bundle.digest}")
            self._checked[id.digest] = bundle
        return self._checked[id.digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateBundles:
    """Check every bundle of the sources and bring them into force together; a bad one changes nothing."""

    storage: Storage
    engine: PolicyEngine
    clock: Clock

    async def __call__(self, sources: Iterable[BundleSource], *, by: str) -> Generation:
        """The generation in force afterwards (the same as before when nothing is new). Raises BundleRefused."""
        found = [files for source in sources for files in await source.bundles()]
        bundles = [await checked_bundle(files, self.engine) for files in found]
        _refuse_twins(bundles)
        stored = [StoredBundle(id=bundle.id, files=bundle.files) for bundle in bundles]
        return await self.storage.activate(stored, at=self.clock(), by=by)


def _refuse_twins(bundles: Sequence[Bundle]) -> None:
    seen: set[str] = set()
    for bundle in bundles:
        if bundle.name in seen:
            problem = Problem(message="two bundles have this name", advice="rename one in its bundle.yaml")
            raise BundleRefused(bundle.name, [problem])
        seen.add(bundle.name)
