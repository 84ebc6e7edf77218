"""After a branch has moved: whether what its repository says for itself is something else now, and whom that concerns.

That is its own policies, `.admit/`, and who looks after which files, CODEOWNERS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.domain.dispatch import id_of
from gateway.domain.record import Decision, TrackedChange
from gateway.errors import UnknownThing
from gateway.operations.code_owners import ReadCodeOwners, code_owners_digest
from gateway.operations.receive import judge_dispatch
from gateway.operations.recorded_owners import owners_by
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
    """Has the open changes onto a branch judged again that were judged by other policies, or other owners, than it has now."""

    forges: Mapping[str, Forge]
    storage: Storage
    code_owners: ReadCodeOwners

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
        files = own_files(folder.files)
        judged = [(change.ref, decision) for change in onto if (decision := await self._decision(change)) is not None]
        concerned = [ref for ref, decision in judged if target_digest(decision.bundles) != target_digest_of(files)]
        if (await self.code_owners.wanted(files, fair_share=repository)).yes:
            owners = await code_owners_digest(forge, repository, folder.commit)
            concerned += [ref for ref, decision in judged if ref not in concerned and await self._asked_of_others(decision, owners)]
        cause = id_of("own-policies", connection, repository_id, folder.commit)
        events = [ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="own_policies.moved") for ref in concerned]
        await self.storage.record_dispatches([judge_dispatch(connection, event, cause=cause) for event in events])
        if concerned:
            log.info("own policies moved", connection=connection, repository=repository, branch=branch, changes=len(concerned))
        return len(concerned)

    async def _decision(self, change: TrackedChange) -> Decision | None:
        """None for one that was not judged yet: that is on its way already."""
        return await self.storage.decision(change.decision_id) if change.decision_id else None

    async def _asked_of_others(self, decision: Decision, owners: Digest | None) -> bool:
        """Whether it rests on owners out of another text."""
        known = await owners_by(self.storage, decision)
        return known is not None and known["digest"] != owners
