"""After the merge of a change to a repository's own policies: which other changes are judged by what they say now."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.domain.dispatch import Dispatch
from gateway.operations.own_policies import touches_own_policies
from gateway.operations.receive import judge_dispatch
from gateway.storage import Storage
from providers.vcs import Change, ChangeEvent, ChangeKey, ChangeState

_LIMIT = 100_000
"""Open changes looked at: none may be missed."""


async def concerned_by_merge(storage: Storage, change: Change) -> Sequence[Dispatch]:
    """After the merge of a change to `.admit/`, every open change onto the same branch is judged by what it says now, once."""
    if change.state is not ChangeState.MERGED or not touches_own_policies(change):
        return []
    here = (change.connection, change.repository.id, change.target_branch)
    others = [
        other.ref
        for other in await storage.changes(limit=_LIMIT)
        if (other.ref.connection, other.ref.repository_id, other.ref.target_branch) == here and other.ref.number != change.number
    ]
    cause = f"own-policies:{change.connection}:{change.repository.id}:{change.head.sha}"
    return [
        judge_dispatch(
            ref.connection, ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="policies.merged"), cause=cause
        )
        for ref in others
    ]
