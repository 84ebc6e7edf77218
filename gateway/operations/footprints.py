"""What policies can look at, followed once for each content: the bundles in force, and what repositories say for themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from policies import Digest, PolicyId
from policies.bundles import Bundle
from policies.errors import BundleRefused, EngineError
from policies.footprint import Footprint, footprints
from policies.repository import FOLDER, OwnPolicies

_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprints:
    """Remembers the footprints of bundles by their digest. own_policies: loads what a repository says for itself."""

    own_policies: OwnPolicies
    _known: dict[tuple[str, Digest], Mapping[PolicyId, Footprint]] = field(default_factory=dict)

    async def __call__(self, bundle: Bundle, *, fair_share: str = "") -> Mapping[PolicyId, Footprint]:
        """Of each policy of a bundle that has been checked. Raises BundleRefused, EngineError."""
        key = (bundle.name, bundle.digest)
        found = self._known.pop(key, None)
        if found is None:
            found = await footprints(bundle, self.own_policies.engine, fair_share=fair_share)
        self._known[key] = found
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return found

    async def any_reads(self, path: Sequence[str], bundles: Sequence[Bundle]) -> bool:
        """Whether a policy of these bundles may look there. In doubt it may."""
        try:
            found = [footprint for bundle in bundles for footprint in (await self(bundle)).values()]
        except (BundleRefused, EngineError):
            return True
        return any(footprint.reads(path) for footprint in found)

    async def own_reads(self, path: Sequence[str], files: Mapping[str, bytes], *, fair_share: str) -> bool:
        """The same of a repository's own policies, whose `files` these are. What does not load may look at anything."""
        if not files:
            return False
        try:
            bundle = await self.own_policies.load(FOLDER, files, fair_share=fair_share)
            if isinstance(bundle, BundleRefused):
                return True
            return any(footprint.reads(path) for footprint in (await self(bundle, fair_share=fair_share)).values())
        except (BundleRefused, EngineError):
            return True
