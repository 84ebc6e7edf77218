"""The gateway's statuses on GitLab: commit statuses on every tier, and responses to external status checks where there are any.

A commit status is put into the newest pipeline of the merge request (or merge train) it is about, or GitLab would choose one.
GitLab knows no `error`: it is posted as `canceled`, which satisfies nothing. A status that is pending already cannot be
posted as pending again: a new text makes it `running`, which satisfies nothing either. https://docs.gitlab.com/api/commits/#commit-status

External status checks (Ultimate) answer for one merge request and one head: any other head is refused with 409, which is
as good as done. One that is pending for two minutes fails by itself, which is what a change that waits for people is meant
to do; `passed` is accepted afterwards. Anybody who may approve may answer one, so `reported` looks for that too.
https://docs.gitlab.com/api/status_checks/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.errors import AccessRefused, NotFound, TornFacts, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import GitLabClient, Refused, TokenRefused, path_of
from providers.vcs.gitlab.facts import OWN_CONTEXTS, known
from providers.vcs.port import ReportedStatus, Status, StatusState

_POSTED = {
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.PENDING: "pending",
    StatusState.ERROR: "canceled",
}
_READ = {
    "success": StatusState.SUCCESS,
    "skipped": StatusState.SUCCESS,  # never ours; a pipeline takes it for one
    "failed": StatusState.FAILURE,
    "canceled": StatusState.ERROR,
    **dict.fromkeys(
        (
            "created",
            "waiting_for_resource",
            "waiting_for_callback",
            "preparing",
            "pending",
            "running",
            "canceling",
            "scheduled",
            "manual",
        ),
        StatusState.PENDING,
    ),
}
_RESPONSES = {StatusState.SUCCESS: "passed", StatusState.PENDING: "pending"}


async def report(client: GitLabClient, repository: str, sha: str, status: Status) -> None:
    """Post the status where it counts. Raises as the port says."""
    project = path_of("projects", repository)
    try:
        concerned = await _concerned(client, project, sha, status.context)
        place = await _place(client, project, sha, concerned[0] if concerned else None)
        await _post(client, project, sha, status, place)
        for merge_request in concerned:
            await _respond(client, project, merge_request, sha, status)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def reported(client: GitLabClient, repository: str, sha: str, context: str, own_id: int) -> ReportedStatus | None:
    """The newest status of that name; not ours, where an external status check says what we did not. Raises as the port says."""
    project = path_of("projects", repository)
    try:
        statuses = await client.everything(f"{project}/repository/commits/{sha}/statuses", name=context)
        newest = max((one for one in statuses if one.text("name") == context), key=lambda one: one.number("id"), default=None)
        found = _reported(newest, own_id) if newest is not None else None
        for merge_request in await _concerned(client, project, sha, context):
            for check in await _checks(client, project, merge_request, context):
                said = check.text("status")
                if said == "passed" and (found is None or found.status.state is not StatusState.SUCCESS):
                    return _forged(context, found)
        return found
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


def _reported(document: Document, own_id: int) -> ReportedStatus:
    author = document.document_or_none("author")
    return ReportedStatus(
        status=Status(
            context=document.text("name"),
            state=known(document, "status", _READ),
            description=document.text_or_none("description") or "",
            target_url=document.text_or_none("target_url") or "",
        ),
        by=author.text("username") if author is not None else None,
        ours=author is not None and author.number("id") == own_id,
    )


def _forged(context: str, found: ReportedStatus | None) -> ReportedStatus:
    """Somebody answered the external status check for us."""
    target = found.status.target_url if found is not None else ""
    said = Status(context=context, state=StatusState.SUCCESS, description="external status check passed", target_url=target)
    return ReportedStatus(status=said, by=None, ours=False)


async def _concerned(client: GitLabClient, project: str, sha: str, context: str) -> Sequence[Document]:
    """The open merge requests with this head onto the branch that the context names."""
    branch = context.removeprefix(OWN_CONTEXTS)
    if branch == context:
        return ()
    opened = await client.everything(f"{project}/merge_requests", state="opened", target_branch=branch, order_by="created_at", sort="asc")
    return [one for one in opened if one.text_or_none("sha") == sha]


async def _place(client: GitLabClient, project: str, sha: str, merge_request: Document | None) -> dict[str, Any]:
    """The pipeline that decides about the merge request, or that of a merge train's head, and its ref.

    A fork's pipelines are not in this project: there the source branch has to do.
    """
    if merge_request is None:
        here = await client.everything(f"{project}/pipelines", sha=sha)
        fallback: dict[str, Any] = {}
    else:
        pipelines = await client.everything(f"{project}/merge_requests/{merge_request.number('iid')}/pipelines")
        own = merge_request.number("project_id")
        here = [one for one in pipelines if one.text("sha") == sha and one.number("project_id") == own]
        fallback = {"ref": merge_request.text("source_branch")}
    if not here:
        return fallback
    newest = max(here, key=lambda one: one.number("id"))
    return {"ref": newest.text("ref"), "pipeline_id": newest.number("id")}


async def _post(client: GitLabClient, project: str, sha: str, status: Status, place: dict[str, Any]) -> None:
    """Post it. What is pending takes a new text as `running`, and after that only as another status: the running one ends first."""
    path = f"{project}/statuses/{sha}"
    body = {"name": status.context, "description": status.description, "target_url": status.target_url, **place}
    try:
        await client.write("post", path, {**body, "state": _POSTED[status.state]})
    except Refused as refused:
        if refused.status != 400 or "Cannot transition status" not in refused.said:
            raise
        listed = await client.everything(f"{project}/repository/commits/{sha}/statuses", name=status.context)
        there = max((one for one in listed if one.text("name") == status.context), key=lambda one: one.number("id"), default=None)
        if there is not None and _says(there, status):
            return
        if there is not None and there.text("status") == "pending":
            await client.write("post", path, {**body, "state": "running"})
            return
        await client.write("post", path, {**body, "state": "canceled"})
        await client.write("post", path, {**body, "state": _POSTED[status.state]})


def _says(there: Document, status: Status) -> bool:
    """Whether a status that is there says what is to be posted, so that nothing has to change, and nobody has to be told."""
    texts = (there.text_or_none("description") or "", there.text_or_none("target_url") or "")
    return known(there, "status", _READ) is status.state and texts == (status.description, status.target_url)


async def _checks(client: GitLabClient, project: str, merge_request: Document, context: str) -> Sequence[Document]:
    """The merge request's external status checks of that name; none where the licence has none."""
    try:
        listed = await client.everything(f"{project}/merge_requests/{merge_request.number('iid')}/status_checks")
    except (NotFound, AccessRefused) as refused:
        if isinstance(refused, TokenRefused):  # also what GitLab answers where the licence has no such checks
            await client.get("/user")
        return ()
    return [check for check in listed if check.text("name") == context]


async def _respond(client: GitLabClient, project: str, merge_request: Document, sha: str, status: Status) -> None:
    path = f"{project}/merge_requests/{merge_request.number('iid')}/status_check_responses"
    for check in await _checks(client, project, merge_request, status.context):
        answer = {"sha": sha, "external_status_check_id": check.number("id"), "status": _RESPONSES.get(status.state, "failed")}
        try:
            await client.request("post", path, body=answer)
        except Refused as refused:
            if refused.status != 409:
                raise
        except NotFound as missing:
            raise TornFacts(f"POST {path}: the check or the merge request went while it was answered") from missing
