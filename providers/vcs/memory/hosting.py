"""What lies under the changes of the memory forge: accounts, repositories, branches, statuses, and the outbox of deliveries.

Whatever happens here changes the world at once and puts the webhook deliveries a forge would send into the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from providers.vcs.memory.deliveries import PendingDelivery, write_delivery
from providers.vcs.memory.facts import facts
from providers.vcs.memory.git import Tree
from providers.vcs.memory.state import StoredChange, StoredRepository, StoredStatus, World
from providers.vcs.model import Actor, ChangeState, Repository
from providers.vcs.port import BranchEvent, ChangeEvent, ChangeKey, Event, StatusEvent
from providers.vcs.setup import Gap

Content: TypeAlias = "str | bytes | None"
"""A file's new content; None deletes it."""


class Hosting:
    """Repositories and who works in them. Accounts are named by login and made when first named."""

    def __init__(self, *, connection: str, url: str, webhook_secrets: Sequence[str], clock: Callable[[], datetime]) -> None:
        self.world = World(connection=connection, url=url, clock=clock)
        self._secrets = tuple(webhook_secrets)
        self._outbox: list[PendingDelivery] = []
        self._silent = False

    # --- deliveries -----------------------------------------------------------------------

    def outbox(self) -> list[PendingDelivery]:
        """The deliveries made since the last call, oldest first, signed with the newest secret: POST each to the gateway."""
        pending, self._outbox = self._outbox, []
        return pending

    @contextmanager
    def silently(self) -> Iterator[None]:
        """Whatever happens in this block sends no delivery, as some of a real forge's events do not."""
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before

    # --- accounts and repositories ----------------------------------------------------------

    def account(self, login: str) -> Actor:
        """The account of that login, made if it is new."""
        return self.world.account(login)

    def delete_account(self, login: str) -> None:
        """From now on what it did is a ghost's, and its login is free for somebody else."""
        self.world.ghosts.add(self.world.accounts.pop(login).id)

    def create_repository(self, name: str, files: Mapping[str, Content] | None = None) -> Repository:
        """`owner/name` with a branch `main` that holds these files (a README.md if none are given)."""
        repository = StoredRepository(id=self.world.new_id(), name=name)
        self.world.repositories[name.lower()] = repository
        owner = self.account(name.partition("/")[0])
        self._commit(repository, "main", [], {}, files or {"README.md": f"# {name}\n"}, {}, "Begin", owner, verified=False)
        return self.world.value(repository)

    def fork(self, repository: str, *, by: str) -> Repository:
        """A copy owned by `by`, all branches included."""
        origin = self.world.repository(repository)
        copy = StoredRepository(id=self.world.new_id(), name=f"{by}/{origin.name.partition('/')[2]}", branches=dict(origin.branches))
        self.account(by)
        self.world.repositories[copy.name.lower()] = copy
        return self.world.value(copy)

    def delete_repository(self, repository: str) -> None:
        """Changes from it stay, closed, with a head that has no repository."""
        gone = self.world.repository(repository)
        del self.world.repositories[gone.name.lower()]
        for key, change in self._changes_from(gone.name):
            self._remember(key)
            change.head_repository = None
            if change.state is ChangeState.OPEN:
                change.state = ChangeState.CLOSED
                self._happened(key, "change.closed", None)

    # --- content -----------------------------------------------------------------------------

    def push(
        self,
        repository: str,
        branch: str,
        files: Mapping[str, Content] | None = None,
        *,
        by: str | None = None,
        message: str = "Write",
        renames: Mapping[str, str] | None = None,
        verified: bool = False,
        start: str = "main",
    ) -> str:
        """One commit on a branch (new ones begin at `start`); its sha. `renames`: new path → old path.

        Open changes with that head are synchronised, and changes onto that branch hear of the push.
        """
        stored = self.world.repository(repository)
        author = self.account(by or stored.name.partition("/")[0])
        begin = stored.branches.get(branch) or stored.branches[start]
        tree = self.world.objects.tree(begin)
        sha = self._commit(stored, branch, [begin], tree, files or {}, renames or {}, message, author, verified=verified)
        self._moved(stored, branch, author.login)
        return sha

    def force_push(self, repository: str, branch: str, sha: str, *, by: str | None = None) -> None:
        """Put a branch on another commit."""
        stored = self.world.repository(repository)
        stored.branches[branch] = sha
        self._moved(stored, branch, by)

    def delete_branch(self, repository: str, branch: str) -> None:
        """Open changes with that head are closed, as forges do."""
        stored = self.world.repository(repository)
        del stored.branches[branch]
        for key, change in self._changes_from(stored.name):
            if change.head_ref == branch and change.state is ChangeState.OPEN:
                with self._act(key, "change.closed", None):
                    change.state = ChangeState.CLOSED
        self._send(BranchEvent(repository_id=stored.id, repository=stored.name, branch=branch, sha=None, what="branch.deleted"))

    # --- statuses ----------------------------------------------------------------------------------

    def post_status(self, repository: str, sha: str, context: str, state: str, *, by: str) -> None:
        """Somebody's status on a commit: CI's, or a forgery of the gateway's."""
        stored = self.world.repository(repository)
        self._set_status(
            stored, sha, StoredStatus(context=context, state=state, description=context, target_url="", by=self.account(by).login)
        )

    # --- the gate ----------------------------------------------------------------------------------

    def loosen(self, repository: str, branch: str, gap: Gap) -> None:
        """Open a way round the gate on a branch that has a rule."""
        rules = self.world.repository(repository).rules
        rule = rules[branch]
        if gap is Gap.STATUS_NOT_REQUIRED:
            rules[branch] = replace(rule, contexts=frozenset())
        else:
            rules[branch] = replace(rule, gaps=rule.gaps | {gap})

    # --- inside ------------------------------------------------------------------------------------

    def _set_status(self, stored: StoredRepository, sha: str, status: StoredStatus) -> None:
        stored.statuses.setdefault(sha, {})[status.context] = status
        self._send(
            StatusEvent(
                repository_id=stored.id,
                repository=stored.name,
                sha=sha,
                context=status.context,
                by=status.by,
                what=f"status.{status.state}",
                state=str(status.state),
            )
        )

    @contextmanager
    def _act(self, key: ChangeKey, what: str, by: str | None) -> Iterator[StoredChange]:
        """One act on a change: remember how it looked, do it, tell."""
        self._remember(key)
        yield self.world.change(key)
        self._happened(key, what, by)

    def _remember(self, key: ChangeKey) -> None:
        self.world.change(key).before = facts(self.world, key)

    def _happened(self, key: ChangeKey, what: str, by: str | None) -> None:
        change = self.world.change(key)
        change.updated_at = max(self.world.clock(), change.updated_at + timedelta(microseconds=1))  # no two events look alike
        self._send(ChangeEvent(key=key, what=what, head_sha=change.head_sha, updated_at=change.updated_at, by=by))

    def _moved(self, stored: StoredRepository, branch: str, by: str | None) -> None:
        """Everything that follows from a branch having a new tip."""
        sha = stored.branches[branch]
        for key, change in self._changes_from(stored.name):
            if change.head_ref == branch and change.state is ChangeState.OPEN and change.head_sha != sha:
                with self._act(key, "change.synchronized", by):
                    change.head_sha = sha
        self._send(BranchEvent(repository_id=stored.id, repository=stored.name, branch=branch, sha=sha, what="push"))

    def _changes_from(self, head_repository: str) -> list[tuple[ChangeKey, StoredChange]]:
        return [
            (ChangeKey(repository=stored.name, number=number), change)
            for stored in self.world.repositories.values()
            for number, change in stored.changes.items()
            if change.head_repository == head_repository
        ]

    def _commit(
        self,
        stored: StoredRepository,
        branch: str,
        parents: Sequence[str],
        tree: Tree,
        files: Mapping[str, Content],
        renames: Mapping[str, str],
        message: str,
        author: Actor,
        *,
        verified: bool,
    ) -> str:
        after = dict(tree)
        for new, old in renames.items():
            after[new] = after.pop(old)
        for path, content in files.items():
            if content is None:
                del after[path]
            else:
                after[path] = content.encode() if isinstance(content, str) else content
        at = self.world.clock()
        made = self.world.objects.commit(parents=parents, tree=after, message=message, author=author, at=at, verified=verified)
        stored.branches[branch] = made.sha
        return made.sha

    def _send(self, event: Event) -> None:
        if not self._silent:
            self._outbox.append(write_delivery(event, self._secrets[0] if self._secrets else None))
