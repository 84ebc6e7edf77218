"""Report on a commit, and read what is reported there: commit statuses of an account, or check runs of an App.

One connection does one of the two: GitHub requires both where a status and a check run have one name.
https://docs.github.com/en/rest/commits/statuses · https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.errors import NotFound, PermanentError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape, documents
from providers.vcs.github.client import MOST_PAGES, PAGE, GithubClient, path_of
from providers.vcs.github.credentials import InstallationAuth
from providers.vcs.github.faults import Refused
from providers.vcs.port import Annotation, ReportedStatus, Status, StatusState

ANNOTATIONS_AT_ONCE = 50
MOST_SUMMARY = 60_000
"""Characters; GitHub takes 65,535."""
AGAIN = "judge-again"
"""The button's identifier in `check_run.requested_action`."""

_CONCLUSIONS = {StatusState.SUCCESS: "success", StatusState.FAILURE: "failure", StatusState.ERROR: "action_required"}
_MEANT = {
    "success": StatusState.SUCCESS,
    "neutral": StatusState.SUCCESS,  # GitHub takes these two for fulfilled; they are never ours
    "skipped": StatusState.SUCCESS,
    "failure": StatusState.FAILURE,
}
_STATES = {
    "success": StatusState.SUCCESS,
    "failure": StatusState.FAILURE,
    "pending": StatusState.PENDING,
    "error": StatusState.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """Who we are: the account's login; its id, or, of an App, the App's."""

    login: str
    account_id: int | None = None
    app_id: int | None = None


async def own_account(client: GithubClient) -> Own:
    """Raises Unreachable, AccessRefused."""
    try:
        if isinstance(client.auth, InstallationAuth):
            app = await client.as_app("GET", "/app")
            return Own(login=f"{app.text('slug')}[bot]", app_id=app.number("id"))
        account = await client.get("/user")
        return Own(login=account.text("login"), account_id=account.number("id"))
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def report(client: GithubClient, own: Own, repository: str, sha: str, status: Status) -> None:
    """One request, and one more for every further 50 annotations. Raises as the port says."""
    try:
        if own.app_id is None:
            await _post_status(client, repository, sha, status)
        else:
            await _post_check_run(client, repository, sha, status)
    except Refused as refused:
        if refused.status == 422 and ("no commit found" in refused.said.lower() or "not a commit" in refused.said.lower()):
            raise NotFound(str(refused)) from refused
        raise


async def _post_status(client: GithubClient, repository: str, sha: str, status: Status) -> None:
    body = {
        "context": status.context,
        "state": status.state.value,
        "description": status.description,
        "target_url": status.target_url,
    }
    await client.request("POST", path_of("repos", repository, "statuses", sha), json=body)


async def _post_check_run(client: GithubClient, repository: str, sha: str, status: Status) -> None:
    """A new run of the name takes the place of the one before; its annotations come in several requests."""
    path = path_of("repos", repository, "check-runs")
    batches = [status.annotations[at : at + ANNOTATIONS_AT_ONCE] for at in range(0, len(status.annotations), ANNOTATIONS_AT_ONCE)]
    ending: dict[str, Any] = {"status": "in_progress"}
    if status.state is not StatusState.PENDING:
        ending = {"status": "completed", "conclusion": _CONCLUSIONS[status.state]}
    body = {
        "name": status.context,
        "head_sha": sha,
        "details_url": status.target_url,
        "output": _output(status, batches[0] if batches else ()),
        "actions": [{"label": "Judge again", "description": "Read the facts anew and judge them.", "identifier": AGAIN}],
        **ending,
    }
    made = await client.request("POST", path, json=body)
    for batch in batches[1:]:
        id = Document(made.value if isinstance(made.value, dict) else {}, made.where).number("id")
        await client.request("PATCH", f"{path}/{id}", json={"output": _output(status, batch)})


def _output(status: Status, annotations: Sequence[Annotation]) -> dict[str, Any]:
    return {
        "title": status.description or status.state.value,
        "summary": status.summary[:MOST_SUMMARY] or status.description or status.state.value,
        "annotations": [
            {
                "path": one.path,
                "start_line": one.line,
                "end_line": one.line,
                "annotation_level": "failure" if one.against else "warning",
                "message": one.message,
            }
            for one in annotations
        ],
    }


async def reported(client: GithubClient, own: Own, repository: str, sha: str, context: str) -> ReportedStatus | None:
    """The newest report of that name; somebody else's comes before ours, wherever it is. Raises as the port says."""
    try:
        status = await _newest_status(client, own, repository, sha, context)
        if own.app_id is None or (status is not None and not status.ours):
            return status
        return await _newest_run(client, own, repository, sha, context)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _newest_status(client: GithubClient, own: Own, repository: str, sha: str, context: str) -> ReportedStatus | None:
    """Newest first is how they are listed, and names are told apart whatever their case."""
    path = path_of("repos", repository, "commits", sha, "statuses")
    for page in range(1, MOST_PAGES + 1):
        answer = await client.request("GET", path, parameters={"per_page": PAGE, "page": page})
        listed = documents(answer.value, answer.where)
        for document in listed:
            if document.text("context").casefold() == context.casefold():
                return _as_status(document, own, context)
        if not answer.more and len(listed) < PAGE:
            return None
    raise PermanentError(f"GET {path}: the list does not end after {MOST_PAGES} pages")


def _as_status(document: Document, own: Own, context: str) -> ReportedStatus:
    creator = document.document_or_none("creator")
    login = creator.text("login") if creator is not None else None
    ours = creator is not None and (creator.number("id") == own.account_id if own.account_id is not None else login == own.login)
    said = document.text("state")
    if said not in _STATES:
        raise UnexpectedShape(f"{document.where}: expected a known state, found {said[:40]!r}")
    status = Status(
        context=context,
        state=_STATES[said],
        description=document.text_or_none("description") or "",
        target_url=document.text_or_none("target_url") or "",
    )
    return ReportedStatus(status=status, by=login, ours=ours)


async def _newest_run(client: GithubClient, own: Own, repository: str, sha: str, context: str) -> ReportedStatus | None:
    path = path_of("repos", repository, "commits", sha, "check-runs")
    runs = await client.everything(path, key="check_runs", check_name=context, filter="latest")
    if not runs:
        return None
    newest = max(runs, key=lambda run: run.number("id"))
    app, output = newest.document_or_none("app"), newest.document("output")
    conclusion = newest.text_or_none("conclusion")
    ended = newest.text("status") == "completed" and conclusion is not None
    status = Status(
        context=newest.text("name"),
        state=_MEANT.get(conclusion or "", StatusState.ERROR) if ended else StatusState.PENDING,
        description=output.text_or_none("title") or "",
        target_url=newest.text_or_none("details_url") or "",
    )
    return ReportedStatus(
        status=status,
        by=app.text_or_none("slug") if app is not None else None,
        ours=app is not None and app.number("id") == own.app_id,
    )
