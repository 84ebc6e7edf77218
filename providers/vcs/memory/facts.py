"""How a change on the memory forge looks from outside at this moment. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import replace

from providers.vcs.memory.git import changed_files
from providers.vcs.memory.state import OWN_CONTEXTS, StoredChange, StoredRepository, StoredStatus, World
from providers.vcs.model import Base, Change, ChangedFile, ChangeState, Check, CheckState, Commit, Head, Signature
from providers.vcs.port import ChangeKey


def facts(world: World, key: ChangeKey) -> Change:
    """The change as it stands now. Raises NotFound."""
    repository, change = world.repository(key.repository), world.change(key)
    tip = repository.branches.get(change.base_ref, "")
    compared = change.landed_on or tip
    return Change(
        connection=world.connection,
        forge="memory",
        repository=world.value(repository),
        number=change.number,
        url=world.url_of(repository, change.number),
        title=change.title,
        body=change.body,
        author=world.shown(change.author),
        labels=tuple(sorted(change.labels)),
        draft=change.draft,
        state=change.state,
        head=Head(ref=change.head_ref, sha=change.head_sha, repository=change.head_repository, fork=change.fork),
        base=Base(ref=change.base_ref, sha=tip, protected=change.base_ref in repository.rules),
        stack=None,
        mergeable=_mergeable(world, change, compared),
        files=_files(world, compared, change.head_sha),
        commits=_commits(world, compared, change.head_sha),
        reviews=tuple(replace(review, user=world.shown(review.user)) for review in change.reviews),
        requested_reviewers=tuple(world.shown(actor) for actor in change.requested),
        checks=_checks(repository, change.head_sha),
        comments=tuple(replace(comment, user=world.shown(comment.user)) for comment in change.comments),
        threads=tuple(change.threads),
        dependencies=_dependencies(world, change),
        created_at=change.created_at,
        updated_at=change.updated_at,
        merged_sha=change.merged_sha,
        merged_by=world.shown(change.merged_by) if change.merged_by is not None else None,
    )


def _mergeable(world: World, change: StoredChange, base: str) -> bool:
    return change.state is ChangeState.OPEN and bool(base) and world.objects.merged(base, change.head_sha) is not None


def _files(world: World, base: str, head: str) -> tuple[ChangedFile, ...]:
    """What the head changes since it left the base; nothing is compared with a base that is gone."""
    if not base:
        return ()
    return changed_files(world.objects.tree(world.objects.merge_base(base, head)), world.objects.tree(head))


def _commits(world: World, base: str, head: str) -> tuple[Commit, ...]:
    """Oldest first."""
    found = []
    for stored in world.objects.ahead(base, head) if base else ():
        email = f"{stored.author.login}@memory.invalid"
        signature = Signature(name=stored.author.login, email=email, actor=world.shown(stored.author))
        commit = Commit(
            sha=stored.sha,
            message=stored.message,
            author=signature,
            committer=signature,
            verified=stored.verified,
            parents=stored.parents,
            via_web=False,
            first_seen_at=stored.at,
        )
        found.append(commit)
    return tuple(found)


def _checks(repository: StoredRepository, sha: str) -> tuple[Check, ...]:
    """By name, without the gateway's own."""
    others = [status for status in repository.statuses.get(sha, {}).values() if not status.context.startswith(OWN_CONTEXTS)]
    return tuple(_check(status, sha) for status in sorted(others, key=lambda status: status.context))


def _check(status: StoredStatus, sha: str) -> Check:
    pending = status.state == "pending"
    return Check(
        name=status.context,
        state=CheckState.PENDING if pending else CheckState.COMPLETED,
        conclusion=None if pending else status.state,
        source=status.by,
        sha=sha,
        url=status.target_url or None,
    )


def _dependencies(world: World, change: StoredChange) -> tuple[str, ...]:
    """Those still open."""
    waited_for = (key for key in change.dependencies if world.change(key).state is ChangeState.OPEN)
    return tuple(sorted(world.url_of(world.repository(key.repository), key.number) for key in waited_for))
