"""Who approved, who asked for changes, and on which commit. Pure.

GitLab keeps one word for each reviewer instead of a list of reviews, and does not say which commit an approval was given
on. It does say when, and when each version of the change was made: an approval was given on the version that was the
newest then. Made without a time (older servers), it was given on no known commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.facts import Facts
from providers.vcs.model import Actor, Review, ReviewState

_AWAITED = frozenset({"unreviewed", "review_started"})
_SPOKEN = {
    "requested_changes": ReviewState.CHANGES_REQUESTED,
    "reviewed": ReviewState.COMMENTED,
    "unapproved": ReviewState.APPROVED,
}
_NOTES = {ReviewState.CHANGES_REQUESTED: "requested changes", ReviewState.COMMENTED: "left review comments"}
"""How GitLab notes it in the conversation, from where the time is taken."""


def reviews(
    facts: Facts, approvals: Document, reviewers: Sequence[Document], versions: Sequence[Document], discussions: Sequence[Document]
) -> tuple[Review, ...]:
    """The last word of each who said something, oldest first. An approval taken back stays, as dismissed."""
    heads = sorted((version.time("created_at"), version.text("head_commit_sha")) for version in versions)
    notes = [note for discussion in discussions for note in discussion.documents("notes") if note.flag("system")]
    found = []
    approvers = set()
    for approval in approvals.documents("approved_by"):
        user = facts.actor(approval.document_or_none("user"))
        approvers.add(user)
        at = (
            approval.time("approved_at")
            if approval.text_or_none("approved_at")
            else _noted(facts, notes, user, "approved this merge request")
        )
        found.append(_review(user, ReviewState.APPROVED, at, heads))
    for reviewer in reviewers:
        user, said = facts.actor(reviewer.document_or_none("user")), reviewer.text("state")
        if said in _AWAITED or said == "approved" or user in approvers:
            continue
        if said not in _SPOKEN:
            raise UnexpectedShape(f"{reviewer.where}: expected a known state of a reviewer, found {said[:40]!r}")
        state = _SPOKEN[said]
        at = _noted(facts, notes, user, _NOTES.get(state, "unapproved this merge request"))
        found.append(_review(user, state, at, heads, dismissed=said == "unapproved"))
    return tuple(sorted(found, key=lambda review: (review.submitted_at is not None, review.submitted_at or datetime.min, review.user.id)))


def requested_reviewers(facts: Facts, reviewers: Sequence[Document]) -> tuple[Actor, ...]:
    """Whose review is awaited."""
    return tuple(facts.actor(one.document_or_none("user")) for one in reviewers if one.text("state") in _AWAITED)


def _review(
    user: Actor, state: ReviewState, at: datetime | None, heads: Sequence[tuple[datetime, str]], *, dismissed: bool = False
) -> Review:
    then = [sha for made, sha in heads if at is not None and made <= at]
    return Review(user=user, state=state, commit_sha=then[-1] if then else None, submitted_at=at, dismissed=dismissed)


def _noted(facts: Facts, notes: Sequence[Document], user: Actor, words: str) -> datetime | None:
    """When GitLab last noted that the user did this."""
    times = [
        note.time("created_at")
        for note in notes
        if note.text("body").startswith(words) and facts.actor(note.document_or_none("author")) == user
    ]
    return max(times, default=None)
