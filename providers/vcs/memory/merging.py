"""Put a change onto its base, in each of the ways a forge offers."""

from __future__ import annotations

from providers.vcs.memory.git import Tree, merged
from providers.vcs.memory.state import StoredChange, StoredRepository, World
from providers.vcs.model import Actor, ChangeState
from providers.vcs.port import MergeMethod


def land(world: World, repository: StoredRepository, change: StoredChange, by: Actor, method: MergeMethod) -> str | None:
    """Merge, whatever rules the branch has; the new tip of the base, or None if they conflict."""
    base, objects = repository.branches[change.base_ref], world.objects
    tree = objects.merged(base, change.head_sha)
    if tree is None:
        return None
    match method:
        case MergeMethod.MERGE:
            sha = _commit(world, (base, change.head_sha), tree, f"Merge change {change.number}: {change.title}", by)
        case MergeMethod.SQUASH:
            sha = _commit(world, (base,), tree, f"{change.title} (change {change.number})", by)
        case MergeMethod.REBASE:
            rebased = _rebased(world, base, change, by)
            if rebased is None:
                return None
            sha = rebased
    change.state, change.merged_sha, change.merged_by, change.landed_on = ChangeState.MERGED, sha, by, base
    repository.branches[change.base_ref] = sha
    return sha


def _rebased(world: World, base: str, change: StoredChange, by: Actor) -> str | None:
    """Each commit of the change anew, one on the other."""
    objects, tip = world.objects, base
    for commit in objects.ahead(base, change.head_sha):
        if len(commit.parents) > 1:
            continue
        tree = merged(objects.tree(commit.parents[0] if commit.parents else None), objects.tree(tip), commit.tree)
        if tree is None:
            return None
        tip = _commit(world, (tip,), tree, commit.message, by)
    return tip


def _commit(world: World, parents: tuple[str, ...], tree: Tree, message: str, by: Actor) -> str:
    return world.objects.commit(parents=parents, tree=tree, message=message, author=by, at=world.clock()).sha
