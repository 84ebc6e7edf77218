"""Which changes a merge group would land: those of the queue from the group's head down to what it stands on."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import PermanentError, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.github.client import GithubClient
from providers.vcs.github.queries import GROUP
from providers.vcs.port import ChangeKey, MergeGroup


async def members(client: GithubClient, group: MergeGroup) -> Sequence[ChangeKey]:
    """In the order they land. Raises TornFacts where the queue has moved on, PermanentError where it says nothing that fits."""
    try:
        entries = {entry.document("headCommit").text("oid"): entry for entry in await _entries(client, group) if _built(entry)}
        numbers: list[int] = []
        sha = group.head_sha
        while sha != group.base_sha:
            if sha not in entries:
                raise TornFacts(f"{group.repository}: the merge queue of '{group.branch}' has no entry for {sha[:12]}")
            entry = entries.pop(sha)
            numbers.append(entry.document("pullRequest").number("number"))
            sha = entry.document("baseCommit").text("oid")
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    if not numbers:
        raise PermanentError(f"{group.repository}: the merge group {group.head_sha[:12]} has no members")
    if f"/pr-{numbers[0]}-" not in group.ref:
        raise TornFacts(f"{group.repository}: the merge group is '{group.ref}', but its last member is {numbers[0]}")
    return [ChangeKey(repository=group.repository, number=number) for number in reversed(numbers)]


async def _entries(client: GithubClient, group: MergeGroup) -> Sequence[Document]:
    owner, _, name = group.repository.partition("/")
    found: list[Document] = []
    after: str | None = None
    while True:
        answer = await client.query(GROUP, owner=owner, name=name, branch=group.branch, after=after)
        queue = answer.document("repository").document_or_none("mergeQueue")
        if queue is None:
            raise PermanentError(f"{group.repository}: branch '{group.branch}' has no merge queue that these credentials see")
        page = queue.document("entries")
        found.extend(page.documents("nodes"))
        if not page.document("pageInfo").flag("hasNextPage") or len(found) > page.number("totalCount"):
            break
        after = page.document("pageInfo").text("endCursor")
    if len(found) != page.number("totalCount"):
        raise TornFacts(f"{group.repository}: the merge queue moved while it was read")
    return found


def _built(entry: Document) -> bool:
    """Whether the queue has made a commit for it."""
    return all(entry.document_or_none(name) is not None for name in ("headCommit", "baseCommit", "pullRequest"))
