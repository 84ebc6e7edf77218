"""Sync: bring who belongs to what from a connection's forge into the tuples, place by place.

A place is a repository or an organisation; what each place says is held under a source of its own
(`sync:work/repository/12`), so that levelling one place touches no other, and nothing that a person wrote.
A place that cannot be read keeps what it said last, and the pass says so; one that is gone says nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.domain.membership import organization_names, organization_tuples, repository_names, repository_tuples
from gateway.domain.relations import sync_source
from gateway.operations.relate import Relate
from policies.bundles.matching import fits
from policies.relations import RelationshipTuple
from providers.errors import NotFound
from providers.vcs import Capability, Forge

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRelations:
    """Levels tuples with what forges say. watched: connection → globs of the repositories that are judged.

    Every method raises as the forge does.
    """

    forges: Mapping[str, Forge]
    watched: Mapping[str, Sequence[str]]
    relate: Relate | None

    async def places(self, connection: str) -> dict[str, list[str]] | None:
        """The names of repositories and organisations to level; None where there is nothing to do for this connection."""
        forge = self.forges.get(connection)
        if forge is None or self.relate is None or Capability.MEMBERSHIP not in forge.capabilities:
            return None
        found = await forge.repositories(self.watched[connection])
        await self.forget_others(connection, "repository", [repository.id for repository in found])
        owners = {repository.name.partition("/")[0] for repository in found}
        return {"repositories": [repository.name for repository in found], "organizations": sorted(owners)}

    async def repository(self, connection: str, name: str) -> str | None:
        """Level one; its id. None where nobody watches it, or there is none of that name now: the next full pass knows more."""
        forge, relate = self._known(connection)
        if not fits(self.watched[connection], name, ignore_case=True):
            return None
        try:
            found = await forge.members(name)
        except NotFound:
            return None
        await relate.store.keep_names(repository_names(found))
        await _level(relate, _source(connection, "repository", found.repository.id), repository_tuples(found))
        return found.repository.id

    async def organization(self, connection: str, name: str) -> str | None:
        """Level one; its id. None where the name is an account's."""
        forge, relate = self._known(connection)
        try:
            found = await forge.teams(name)
        except NotFound:
            return None
        await relate.store.keep_names(organization_names(found))
        await _level(relate, _source(connection, "organization", found.organization.id), organization_tuples(found))
        return found.organization.id

    async def forget_others(self, connection: str, kind: str, ids: Sequence[str]) -> None:
        """Let go of what repositories or organisations said that are there no more, or that nobody watches any more."""
        _, relate = self._known(connection)
        prefix = _source(connection, kind, "")
        for source in await relate.store.synced_sources(prefix):
            if source.removeprefix(prefix) not in ids:
                await _level(relate, source, frozenset())

    def _known(self, connection: str) -> tuple[Forge, Relate]:
        assert self.relate is not None, "places said that there is nothing to do"
        return self.forges[connection], self.relate


async def _level(relate: Relate, source: str, wanted: frozenset[RelationshipTuple]) -> None:
    if left_out := await relate.level(source, wanted):
        log.warning("the model does not allow what the forge says", source=source, left_out=left_out)


def _source(connection: str, kind: str, id: str) -> str:
    return sync_source(f"{connection}/{kind}/{id}")
