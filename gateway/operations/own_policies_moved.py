"""After a branch has moved: whether the repository's own policies are others now, and whom that concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.domain.dispatch import id_of
from gateway.domain.record import TrackedChange
from gateway.errors import UnknownThing
from gateway.operations.receive import judge_dispatch
from gateway.storage import Storage
from policies import Digest
from policies.repository import FOLDER, own_files, target_digest, target_digest_of
from providers.errors import NotFound
from providers.vcs import ChangeEvent, ChangeKey, Forge

log = structlog.get_logger()

_LIMIT = 100_000
"""Open changes looked at: none may be missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPoliciesMoved:
    """Has the open changes onto a branch judged again that were judged by other policies than its `.admit/` holds now."""

    forges: Mapping[str, Forge]
    storage: Storage

    async def __call__(self, *, connection: str, repository_id: str, repository: str, branch: str) -> int:
        """How many. Raises UnknownThing (no such connection), and as the forge does."""
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        here = (connection, repository_id, branch)
        known = await self.storage.changes(limit=_LIMIT)
        onto = [change for change in known if (change.ref.connection, change.ref.repository_id, change.ref.target_branch) == here]
        if not onto:
            return 0
        try:
            folder = await forge.read_folder(repository, branch, FOLDER)
        except NotFound:
            return 0  # the branch is gone, and what becomes of its changes comes as their own events
        now = target_digest_of(own_files(folder.files))
        concerned = [change.ref for change in onto if await self._judged_by_others(change, now)]
        cause = id_of("own-policies", connection, repository_id, folder.commit)
        events = [ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="own_policies.moved") for ref in concerned]
        await self.storage.record_dispatches([judge_dispatch(connection, event, cause=cause) for event in events])
        if concerned:
            log.info("own policies moved", connection=connection, repository=repository, branch=branch, changes=len(concerned))
        return len(concerned)

    async def _judged_by_others(self, change: TrackedChange, now: Digest | None) -> bool:
        """False for one that was not judged yet: that is on its way already."""
        decision = await self.storage.decision(change.decision_id) if change.decision_id else None
        return decision is not None and target_digest(decision.bundles) != now
