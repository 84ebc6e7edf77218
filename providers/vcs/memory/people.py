"""What people do with changes on the memory forge: propose, review, label, retarget, close, merge behind the gateway's back.

Separate from the adapter, since the port knows nothing of these: they are how the demo and the tests make things happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from providers.errors import Conflict
from providers.vcs.memory.belonging import Belonging
from providers.vcs.memory.hosting import Content
from providers.vcs.memory.merging import land
from providers.vcs.memory.state import StoredChange
from providers.vcs.model import ChangeState, Comment, Review, ReviewState, Thread
from providers.vcs.port import ChangeKey, MergeMethod


class People(Belonging):
    """The forge as its users have it."""

    def open_change(
        self,
        repository: str,
        *,
        head: str,
        base: str = "main",
        title: str = "A change",
        body: str = "",
        by: str | None = None,
        labels: Sequence[str] = (),
        draft: bool = False,
        source: str | None = None,
        files: Mapping[str, Content] | None = None,
    ) -> ChangeKey:
        """Propose to merge branch `head` into `base`. source: the fork that holds `head`; files: pushed to it first."""
        stored, origin = self.world.repository(repository), self.world.repository(source or repository)
        if files is not None:
            self.push(origin.name, head, files, by=by, start=base)
        author, now = self.account(by or origin.name.partition("/")[0]), self.world.clock()
        number = len(stored.changes) + 1
        stored.changes[number] = StoredChange(
            number=number,
            title=title,
            body=body,
            author=author,
            head_repository=origin.name,
            head_ref=head,
            head_sha=origin.branches[head],
            fork=origin is not stored,
            base_ref=base,
            draft=draft,
            labels=tuple(labels),
            created_at=now,
            updated_at=now,
        )
        key = ChangeKey(repository=stored.name, number=number)
        self._happened(key, "change.opened", author.login)
        return key

    def review(self, key: ChangeKey, *, by: str, state: ReviewState = ReviewState.APPROVED, commit_sha: str | None = None) -> None:
        """Give a review, on the head unless another commit is named."""
        with self._act(key, f"change.review_{state}", by) as change:
            user = self.account(by)
            sha = commit_sha or change.head_sha
            change.reviews.append(Review(user=user, state=state, commit_sha=sha, submitted_at=self.world.clock(), dismissed=False))
            change.requested = [asked for asked in change.requested if asked.id != user.id]

    def approve(self, key: ChangeKey, *, by: str) -> None:
        self.review(key, by=by)

    def dismiss(self, key: ChangeKey, *, of: str) -> None:
        """Dismiss every review of that account."""
        with self._act(key, "change.review_dismissed", None) as change:
            change.reviews = [replace(r, dismissed=True) if r.user.login == of else r for r in change.reviews]

    def request_review(self, key: ChangeKey, *, of: str) -> None:
        with self._act(key, "change.review_requested", None) as change:
            change.requested.append(self.account(of))

    def label(self, key: ChangeKey, *names: str) -> None:
        """Replace the labels by these."""
        with self._act(key, "change.labeled", None) as change:
            change.labels = names

    def edit(self, key: ChangeKey, *, title: str | None = None, body: str | None = None, draft: bool | None = None) -> None:
        with self._act(key, "change.edited", None) as change:
            change.title = change.title if title is None else title
            change.body = change.body if body is None else body
            change.draft = change.draft if draft is None else draft

    def comment(self, key: ChangeKey, body: str, *, by: str) -> None:
        with self._act(key, "change.commented", by) as change:
            change.comments.append(Comment(user=self.account(by), body=body, created_at=self.world.clock(), edited=False))

    def discuss(self, key: ChangeKey, path: str, *, by: str, resolved: bool = False) -> None:
        """Begin a conversation on a file; forges count that as a review that comments."""
        with self._act(key, "change.discussed", by) as change:
            now, user = self.world.clock(), self.account(by)
            change.threads.append(Thread(resolved=resolved, path=path))
            state = ReviewState.COMMENTED
            change.reviews.append(Review(user=user, state=state, commit_sha=change.head_sha, submitted_at=now, dismissed=False))

    def depend(self, key: ChangeKey, on: ChangeKey) -> None:
        """`on` has to be merged first."""
        with self._act(key, "change.dependency_added", None) as change:
            change.dependencies.append(on)

    def retarget(self, key: ChangeKey, base: str) -> None:
        with self._act(key, "change.retargeted", None) as change:
            change.base_ref = base

    def close_change(self, key: ChangeKey) -> None:
        with self._act(key, "change.closed", None) as change:
            change.state = ChangeState.CLOSED

    def reopen_change(self, key: ChangeKey) -> None:
        """The head is wherever its branch is by now."""
        with self._act(key, "change.reopened", None) as change:
            change.state = ChangeState.OPEN
            origin = self.world.repositories.get((change.head_repository or "").lower())
            if origin is not None:
                change.head_sha = origin.branches.get(change.head_ref, change.head_sha)

    def merge_outside(self, key: ChangeKey, *, by: str) -> str:
        """Merge without asking the gateway or the branch's rules; the merge commit's sha. Raises Conflict."""
        stored = self.world.repository(key.repository)
        with self._act(key, "change.merged", by) as change:
            sha = land(self.world, stored, change, self.account(by), MergeMethod.MERGE)
            if sha is None:
                raise Conflict(f"change {key.number} of '{key.repository}' conflicts with '{change.base_ref}'")
        self._moved(stored, change.base_ref, by)
        return sha
