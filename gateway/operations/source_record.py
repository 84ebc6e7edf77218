"""What is on record of a commit that somebody wants to deploy: looked up by the gateway, never taken from who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.domain.clock import Clock
from gateway.domain.landing import admission_document, branch_of, relevant_landing
from gateway.domain.record import DecisionId, FactsOrigin, TrackedChange
from gateway.domain.report import worst
from gateway.domain.submission import Source
from gateway.storage import DecisionFilter, Storage
from policies import Json
from policies.errors import RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """Looks commits up. connections: the forges by name."""

    storage: Storage
    connections: Sequence[str]
    clock: Clock

    async def located(self, source: Source) -> Source:
        """The source with the one connection that has this repository. Raises RequestRefused where several have.

        Names are not owned: the same `owner/name` on another forge is another repository.
        """
        if source.connection is not None:
            if source.connection not in self.connections:
                known = ", ".join(self.connections) or "none"
                raise RequestRefused(f"source.connection: there is no connection '{source.connection}'; admit.yaml has: {known}")
            return source
        having = [name for name in self.connections if await self._repository_id(name, source.repository) is not None]
        if len(having) > 1:
            raise RequestRefused(f"source: several connections have a repository '{source.repository}': say which of {', '.join(having)}")
        return replace(source, connection=having[0]) if having else source

    async def document(self, source: Source) -> dict[str, Json]:
        """`input.workflow.source`, with what is on record as it stands now."""
        return {
            "connection": source.connection,
            "repository": source.repository,
            "ref": source.ref,
            "sha": source.sha,
            "admission": await self._admission(source),
        }

    async def _admission(self, source: Source) -> Json:
        if source.connection is None:
            return None
        landings = [it for it in await self.storage.landings(source.repository, source.sha) if it.connection == source.connection]
        landing = relevant_landing(landings, source)
        if landing is not None:
            decision = await self.storage.decision(landing.decision) if landing.decision else None
            return admission_document(decision, merged=landing.merged, target_branch=landing.target_branch)
        proposed = await self._proposed(source)
        if proposed is None:
            return None
        decision = await self.storage.decision(proposed[1]) if proposed[1] else None
        return admission_document(decision, merged=None, target_branch=proposed[0])

    async def _proposed(self, source: Source) -> tuple[str, DecisionId | None] | None:
        """Where an open change would bring the commit, and the decision that is worst there."""
        assert source.connection is not None
        repository_id = await self._repository_id(source.connection, source.repository)
        if repository_id is None:
            return None
        changes = await self.storage.changes_with_head(source.connection, repository_id, source.sha)
        branches = _branches(changes)
        branch = branch_of(source.ref) if branch_of(source.ref) in branches else next(iter(branches), None)
        if branch is None:
            return None
        standing = worst(changes, branch, at=self.clock())
        return branch, standing.decision if standing else None

    async def _repository_id(self, connection: str, repository: str) -> str | None:
        """The repository of that name that was last judged there, by what its forge said of it: anybody may provide facts."""
        page = await self.storage.decisions(DecisionFilter(connection=connection, repository=repository), limit=200)
        judged = (decision.change for decision in page.decisions if decision.facts is FactsOrigin.GATHERED)
        return next((change.repository_id for change in judged if change is not None), None)


def source_from(document: Mapping[str, Json] | None) -> Source | None:
    """From `input.workflow.source`."""
    if document is None:
        return None
    connection = document.get("connection")
    return Source(
        connection=None if connection is None else str(connection),
        repository=str(document["repository"]),
        ref=str(document["ref"]),
        sha=str(document["sha"]),
    )


def _branches(changes: Sequence[TrackedChange]) -> dict[str, None]:
    return dict.fromkeys(change.ref.target_branch for change in changes if change.state == "open")
