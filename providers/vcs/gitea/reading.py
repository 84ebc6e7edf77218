"""Read one change whole: which endpoints, in which order, and when to start over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.errors import NotFound, PermanentError, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea.client import GiteaClient, path_of
from providers.vcs.gitea.facts import Facts, threads
from providers.vcs.gitea.moment import changed_kind, check_not_before, check_same_moment, merge_base, moment
from providers.vcs.gitea.trees import changed_files
from providers.vcs.leaving_out import if_any, without
from providers.vcs.model import MAY_BE_LEFT_OUT, Base, Change, ChangedFile, Head
from providers.vcs.port import ChangeEvent, ChangeKey

PAUSES = (0.3, 0.7, 1.5)
"""Seconds before each new start: after a push Gitea needs 0.2 to 2 s until its endpoints agree."""
_OF_REVIEWS = frozenset({"reviews", "requested_reviewers", "threads"})
"""What is made of the list of reviews."""


async def read_change(
    client: GiteaClient, connection: str, key: ChangeKey, not_before: ChangeEvent | None, leave_out: frozenset[str]
) -> Change:
    """All facts of one moment, or a fault. Raises as the port says."""
    for pause in (*PAUSES, None):
        try:
            return without(await _read_once(client, Facts(connection), key, not_before, MAY_BE_LEFT_OUT - leave_out), leave_out)
        except TornFacts:
            if pause is None:
                raise
            await asyncio.sleep(pause)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
    raise AssertionError("the last round returns or raises")


async def _read_once(client: GiteaClient, facts: Facts, key: ChangeKey, not_before: ChangeEvent | None, wanted: frozenset[str]) -> Change:
    repository = path_of("repos", key.repository)
    path = f"{repository}/pulls/{key.number}"
    pull = await client.get(path)
    head_sha = pull.document("head").text("sha")
    listed, commits = await asyncio.gather(
        client.everything(f"{path}/files"),
        client.everything(f"{path}/commits", files="false", stat="false"),
    )
    check_same_moment(pull, commits, listed)
    files = await _files(client, repository, pull, listed, commits)
    reviews, comments, statuses, protected, dependencies = await asyncio.gather(
        if_any(wanted & _OF_REVIEWS, lambda: client.everything(f"{path}/reviews", hidden=True)),
        if_any(wanted & {"comments"}, lambda: client.everything(f"{repository}/issues/{key.number}/comments")),
        if_any(wanted & {"checks"}, lambda: client.everything(f"{repository}/commits/{head_sha}/status", key="statuses")),
        _protected(client, repository, pull),
        _dependencies(client, f"{repository}/issues/{key.number}/dependencies", pull, wanted),
    )
    discussed = await _review_comments(client, path, reviews if "threads" in wanted else ())
    again = await client.get(path)
    if moment(again) != moment(pull):
        raise TornFacts(f"GET {path}: it changed while it was read")
    check_not_before(pull, commits, not_before)
    base = pull.document("base")
    return Change(
        connection=facts.connection,
        forge="gitea",
        repository=facts.repository(base.document("repo")),
        number=pull.number("number"),
        url=pull.text("html_url"),
        title=pull.text("title"),
        body=pull.text("body"),
        author=facts.actor(pull.document_or_none("user")),
        labels=tuple(sorted(label.text("name") for label in pull.documents("labels"))),
        draft=pull.flag("draft"),
        state=facts.state(pull),
        head=_head(pull),
        base=Base(ref=base.text("ref"), sha=base.text("sha"), protected=protected),
        stack=None,
        mergeable=True if again.flag("mergeable") else None,  # false also means "still checking": Gitea cannot say which
        files=files,
        commits=tuple(facts.commit(commit) for commit in reversed(commits)),
        reviews=facts.reviews(reviews),
        requested_reviewers=facts.requested_reviewers(reviews),
        checks=facts.checks(statuses, head_sha),
        comments=tuple(facts.comment(comment) for comment in comments),
        threads=threads(discussed),
        dependencies=dependencies,
        created_at=pull.time("created_at"),
        updated_at=pull.time("updated_at"),
        merged_sha=pull.text_or_none("merge_commit_sha"),
        merged_by=facts.actor(pull.document_or_none("merged_by")) if pull.flag("merged") else None,
    )


def _head(pull: Document) -> Head:
    head = pull.document("head")
    repository = head.document_or_none("repo")
    return Head(
        ref=head.text("ref"),
        sha=head.text("sha"),
        repository=repository.text("full_name") if repository is not None else None,
        fork=head.number("repo_id") != pull.document("base").number("repo_id"),
    )


async def _files(
    client: GiteaClient, repository: str, pull: Document, listed: Sequence[Document], commits: Sequence[Document]
) -> tuple[ChangedFile, ...]:
    """The changed files: as Gitea lists them, or, where its list is cut short, by comparing the trees."""
    if not changed_kind(listed) and not await _last_changed_its_kind(client, repository, pull, listed):
        return tuple(Facts.file(file) for file in listed)
    base = merge_base(commits)
    if base is None:
        raise PermanentError(
            f"{pull.where}: a file changed its kind (to or from a link or submodule), so Gitea leaves files out of its list",
            advice="rebase the change onto its target branch, so that its files can be compared",
        )
    return await changed_files(client, repository, base, pull.document("head").text("sha"))


async def _last_changed_its_kind(client: GiteaClient, repository: str, pull: Document, listed: Sequence[Document]) -> bool:
    """A file at the end of the list that is `deleted` may still be there: its second place fell off the list."""
    if not listed or listed[-1].text("status") != "deleted":
        return False
    path = f"{repository}/contents" + path_of(listed[-1].text("filename"))
    try:
        await client.get(path, ref=pull.document("head").text("sha"))
    except NotFound:
        return False
    return True


async def _protected(client: GiteaClient, repository: str, pull: Document) -> bool | None:
    """Whether a rule protects the base; None for a branch that is gone."""
    base = pull.document("base")
    if not base.text_or_none("sha"):
        return None
    branch = await client.get(f"{repository}/branches" + path_of(base.text("ref")))
    return branch.flag("protected")


async def _dependencies(client: GiteaClient, path: str, pull: Document, wanted: frozenset[str]) -> tuple[str, ...] | None:
    """URLs of pull requests to be merged first. None where one is in a repository this account may not read."""
    tracker = pull.document("base").document("repo").document_or_none("internal_tracker")
    if "dependencies" not in wanted or tracker is None or not tracker.flag("enable_issue_dependencies"):
        return ()
    blockers = await client.everything(path)
    if any(not blocker.text_or_none("html_url") for blocker in blockers):
        return None
    open_pulls = (b for b in blockers if b.document_or_none("pull_request") is not None and b.text("state") == "open")
    return tuple(sorted(blocker.text("html_url") for blocker in open_pulls))


async def _review_comments(client: GiteaClient, path: str, reviews: Sequence[Document]) -> list[Document]:
    """Comments on lines, of every review that has some. This list has no pages; the review says how long it is."""
    found: list[Document] = []
    for review in reviews:
        expected = review.number("comments_count")
        if expected == 0:
            continue
        comments = await client.listed(f"{path}/reviews/{review.number('id')}/comments")
        if len(comments) != expected:
            raise TornFacts(f"GET {path}: a review has {expected} comments, but {len(comments)} are listed")
        found.extend(comments)
    return found
