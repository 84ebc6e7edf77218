"""Who may change what judges: authors, and whoever is a publisher of every organisation a bundle judges for.

A bundle judges for the organisations its policies name, and so does the one that it takes the place of: otherwise a
publisher of one organisation could do away with the rules of another by publishing something else under their name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.domain.record import Generation
from gateway.domain.rights import PUBLISH, Granted, Reach
from gateway.errors import GenerationMoved, StorageError
from gateway.operations.bring_into_force import Standing
from gateway.operations.in_force import InForce
from gateway.operations.rights import Rights
from gateway.storage import StoredToken
from policies import BundleId
from policies.bundles import Match
from policies.errors import BundleRefused
from policies.model import Action
from providers.errors import PermanentError
from providers.vcs import Forge

_GLOB = frozenset("*?")
_MOST = 20
"""Organisations of one bundle that a forge is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedBundle:
    """The right to change one bundle, given for what was in force under its name."""

    granted: Granted
    name: str
    before: BundleId | None

    def hold(self, standing: Standing) -> None:
        """Raises GenerationMoved where a relation gave the right and something else is in force by now."""
        if self.granted.related and standing.bundles.get(self.name) != self.before:
            raise GenerationMoved(f"bundle '{self.name}' was changed by others meanwhile: look again")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRights:
    """forges: by connection, to learn what relations call an organisation."""

    rights: Rights
    in_force: InForce
    forges: Mapping[str, Forge]

    async def __call__(
        self, name: str, by: StoredToken, generation: Generation | None, matches: Callable[[], Iterable[Match]] = tuple
    ) -> GrantedBundle:
        """matches: of what would come into force. Raises as `Rights`, as `matches` and as `InForce.bundle`."""
        before = None if generation is None else generation.bundle(name)

        async def reach() -> Reach:
            coming = list(matches())
            try:
                standing = [] if before is None else [policy.match for policy in (await self.in_force.bundle(before)).policies]
            except (BundleRefused, StorageError) as problem:
                return Reach(otherwise=f"what is in force under its name cannot be read any more: {problem}")
            if not standing and not coming:
                return Reach(otherwise=f"no bundle '{name}' is in force")
            return await self._reach([*standing, *coming])

        return GrantedBundle(granted=await self.rights(PUBLISH, by, reach), name=name, before=before)

    async def _reach(self, matches: Iterable[Match]) -> Reach:
        named: dict[tuple[str, str], None] = {}
        for match in matches:
            if match.action is not Action.MERGE:
                return Reach(otherwise="one of its policies is about workflows, which are no organisation's")
            for place in _places(match):
                if isinstance(place, Reach):
                    return place
                named[place] = None
        if len(named) > _MOST:
            return Reach(otherwise=f"its policies name {len(named)} organisations, more than {_MOST}")
        found = await asyncio.gather(*(self._organization(connection, name) for connection, name in named))
        unknown = next((one for one in found if isinstance(one, Reach)), None)
        return unknown or Reach(objects=tuple(sorted({one for one in found if isinstance(one, str)})))

    async def _organization(self, connection: str, name: str) -> str | Reach:
        """What relations call it. Raises TemporaryError where the forge cannot be asked now."""
        forge = self.forges.get(connection)
        if forge is None:
            return Reach(otherwise=f"no connection is named '{connection}'")
        try:
            return (await forge.organization(name)).ref
        except PermanentError as problem:
            return Reach(otherwise=f"the connection '{connection}' tells of no organisation '{name}': {problem}")


def _places(match: Match) -> Iterable[tuple[str, str] | Reach]:
    """Connection and organisation of everything it may match. What a glob leaves open is nobody's organisation."""
    for connection in match.connections:
        if _GLOB & set(connection):
            yield Reach(otherwise=f"its match leaves the connection open: expected names in `connections`, found '{connection}'")
        for repository in match.repositories:
            organization, slash, _ = repository.partition("/")
            if not slash or _GLOB & set(organization):
                yield Reach(otherwise=f"its match leaves the organisation open: expected `NAME/…` in `repositories`, found '{repository}'")
            yield connection.casefold(), organization.casefold()
