"""Read one change whole: which endpoints, in which order, and when to start over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.errors import NotFound, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import NO_SUCH_ROUTE, PAGE, GitLabClient, Missing, path_of
from providers.vcs.gitlab.facts import Facts, full_name, mergeable, merged_sha, threads
from providers.vcs.gitlab.moment import check_commits, check_files, check_not_before, check_target, diff_range, moment
from providers.vcs.gitlab.reviews import requested_reviewers, reviews
from providers.vcs.leaving_out import if_any, without
from providers.vcs.model import MAY_BE_LEFT_OUT, Base, Change, ChangeState, Head
from providers.vcs.port import ChangeEvent, ChangeKey

PAUSES = (0.3, 1.0, 3.0)
"""Seconds before each new start: after a push GitLab needs a moment until the new diff is there."""

COMMITS = """\
query ($project: ID!, $number: String!, $after: String) {
  project(fullPath: $project) {
    mergeRequest(iid: $number) {
      diffHeadSha
      commits(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { sha author { id username } signature { verificationStatus } }
      }
    }
  }
}
"""
"""What REST does not say of commits: the accounts behind them, and whether their signatures hold."""


async def read_change(
    client: GitLabClient, connection: str, key: ChangeKey, not_before: ChangeEvent | None, leave_out: frozenset[str]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What was read of one merge request, checked to be of one moment. `tip`: the target branch's commit, and if it is protected."""

    merge_request: Document
    tip: tuple[str, bool | None]
    files: Sequence[Document]
    commits: Sequence[Document]
    seen: Mapping[str, Document]
    approvals: Document | None
    reviewers: Sequence[Document]
    versions: Sequence[Document]
    discussions: Sequence[Document]
    statuses: Sequence[Document]
    dependencies: tuple[str, ...] | None
    origin: str | None
    mergeable: bool | None


async def _read_once(client: GitLabClient, facts: Facts, key: ChangeKey, not_before: ChangeEvent | None, wanted: frozenset[str]) -> Change:
    project = path_of("projects", key.repository)
    path = f"{project}/merge_requests/{key.number}"
    merge_request = await client.get(path)
    base_sha, head_sha, start_sha = diff_range(merge_request)
    branch = merge_request.text("target_branch")
    files, commits, seen, tip = await asyncio.gather(
        client.everything(f"{path}/diffs"),
        client.everything(f"{project}/repository/commits", ref_name=f"{base_sha}..{head_sha}", order="topo"),
        _seen_commits(client, merge_request, head_sha),
        _branch(client, project, branch),
    )
    await _check_against_target(client, project, merge_request, start_sha, tip[0])
    check_files(merge_request, files)
    check_commits(merge_request, base_sha, head_sha, commits, seen)
    (approvals, reviewers, versions), (discussions, statuses, dependencies, origin) = await asyncio.gather(
        asyncio.gather(
            _approvals(client, path, wanted),
            if_any(wanted & {"reviews", "requested_reviewers"}, lambda: client.everything(f"{path}/reviewers")),
            if_any(wanted & {"reviews"}, lambda: client.everything(f"{path}/versions")),
        ),
        asyncio.gather(
            if_any(wanted & {"reviews", "comments", "threads"}, lambda: client.everything(f"{path}/discussions")),
            if_any(wanted & {"checks"}, lambda: client.everything(f"{project}/repository/commits/{head_sha}/statuses")),
            _dependencies(client, path, wanted),
            _origin(client, merge_request),
        ),
    )
    again, tip_again = await asyncio.gather(client.get(path), _branch(client, project, branch))
    if moment(again) != moment(merge_request) or tip_again != tip:
        raise TornFacts(f"GET {path}: it changed while it was read")
    check_not_before(merge_request, commits, not_before)
    read = _Read(
        merge_request=merge_request,
        tip=tip,
        files=files,
        commits=commits,
        seen=seen,
        approvals=approvals,
        reviewers=reviewers,
        versions=versions,
        discussions=discussions,
        statuses=statuses,
        dependencies=dependencies,
        origin=origin,
        mergeable=mergeable(again),
    )
    return _change(facts, read)


def _change(facts: Facts, read: _Read) -> Change:
    merge_request = read.merge_request
    state = facts.state(merge_request)
    merged_by = merge_request.document_or_none("merge_user") or merge_request.document_or_none("merged_by")
    return Change(
        connection=facts.connection,
        forge="gitlab",
        repository=facts.repository(merge_request.number("project_id"), full_name(merge_request)),
        number=merge_request.number("iid"),
        url=merge_request.text("web_url"),
        title=merge_request.text("title"),
        body=merge_request.text_or_none("description") or "",
        author=facts.actor(merge_request.document_or_none("author")),
        labels=tuple(sorted(merge_request.texts("labels"))),
        draft=merge_request.flag("draft"),
        state=state,
        head=_head(merge_request, read.origin),
        base=Base(ref=merge_request.text("target_branch"), sha=read.tip[0], protected=read.tip[1]),
        stack=None,
        mergeable=read.mergeable,
        files=tuple(facts.file(file) for file in read.files),
        commits=tuple(facts.commit(commit, read.seen[commit.text("id")]) for commit in reversed(read.commits)),
        reviews=() if read.approvals is None else reviews(facts, read.approvals, read.reviewers, read.versions, read.discussions),
        requested_reviewers=requested_reviewers(facts, read.reviewers),
        checks=facts.checks(read.statuses, merge_request.text("sha")),
        comments=facts.comments(read.discussions),
        threads=threads(read.discussions),
        dependencies=read.dependencies,
        created_at=merge_request.time("created_at"),
        updated_at=merge_request.time("updated_at"),
        merged_sha=merged_sha(merge_request),
        merged_by=facts.actor(merged_by) if state is ChangeState.MERGED else None,
    )


async def _check_against_target(client: GitLabClient, project: str, merge_request: Document, start: str, tip: str) -> None:
    """Whether the diff is one against the target branch, as far as there still is one."""
    if tip:
        common = await client.get(f"{project}/repository/merge_base", **{"refs[]": [start, tip]})
        check_target(merge_request, start, common.text("id"))


async def _seen_commits(client: GitLabClient, merge_request: Document, head: str) -> Mapping[str, Document]:
    """By sha, each commit of the merge request as GraphQL tells it."""
    found: dict[str, Document] = {}
    after: str | None = None
    while True:
        data = await client.graphql(COMMITS, project=full_name(merge_request), number=str(merge_request.number("iid")), after=after)
        project = data.document_or_none("project")
        seen = project.document_or_none("mergeRequest") if project is not None else None
        if seen is None:
            raise NotFound(f"{merge_request.where}: GraphQL does not know it")
        if seen.text("diffHeadSha") != head:
            raise TornFacts(f"{merge_request.where}: the head is {head[:12]}, but for GraphQL {seen.text('diffHeadSha')[:12]}")
        connection = seen.document("commits")
        nodes = connection.documents("nodes")
        found |= {node.text("sha"): node for node in nodes}
        page = connection.document("pageInfo")
        if not page.flag("hasNextPage"):
            return found
        if len(nodes) != PAGE or page.text("endCursor") == after:
            raise TornFacts(f"{merge_request.where}: a page of commits is short, and another is said to follow")
        after = page.text("endCursor")


async def _branch(client: GitLabClient, project: str, branch: str) -> tuple[str, bool | None]:
    """Its tip and whether it is protected; for a branch that is gone, nothing."""
    try:
        found = await client.get(f"{project}/repository/branches" + path_of(branch))
    except NotFound as missing:
        if "Branch Not Found" not in str(missing):
            raise
        return "", None
    return found.document("commit").text("id"), found.flag("protected")


async def _approvals(client: GitLabClient, path: str, wanted: frozenset[str]) -> Document | None:
    return await client.get(f"{path}/approvals") if "reviews" in wanted else None


async def _dependencies(client: GitLabClient, path: str, wanted: frozenset[str]) -> tuple[str, ...] | None:
    """URLs of merge requests to be merged first. None where this GitLab knows no dependencies, or one is hidden from us."""
    if "dependencies" not in wanted:
        return None
    try:
        blockers = [block.document_or_none("blocking_merge_request") for block in await client.everything(f"{path}/blocks")]
    except Missing as missing:
        if missing.said == NO_SUCH_ROUTE:
            return None
        raise
    seen = [blocker for blocker in blockers if blocker is not None]
    if len(seen) != len(blockers):
        return None
    return tuple(sorted(blocker.text("web_url") for blocker in seen if blocker.text("state") != "merged"))


async def _origin(client: GitLabClient, merge_request: Document) -> str | None:
    """The fork's name; None for one that was deleted or is hidden from us."""
    id = merge_request.number_or_none("source_project_id")
    if id is None or id == merge_request.number("target_project_id"):
        return None
    try:
        return (await client.get(path_of("projects", id))).text("path_with_namespace")
    except NotFound:
        return None


def _head(merge_request: Document, origin: str | None) -> Head:
    fork = merge_request.number_or_none("source_project_id") != merge_request.number("target_project_id")
    return Head(
        ref=merge_request.text("source_branch"),
        sha=merge_request.text("sha"),
        repository=origin if fork else full_name(merge_request),
        fork=fork,
    )
