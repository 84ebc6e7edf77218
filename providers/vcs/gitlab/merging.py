"""Merge, guarded by the head's sha, and find out what became of it when the answer does not say.

Where the project has merge trains the merge request is put on one, since merging directly would drive past it; it is not
merged before its train arrives. `auto_merge` is never sent: with a finished pipeline it merges past the train.
https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request
"""

from __future__ import annotations

from providers.errors import AccessRefused, Conflict, PermanentError, ProviderError, TemporaryError, Unreachable, Unsupported
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitlab.client import GitLabClient, Missing, Refused, TokenRefused, path_of
from providers.vcs.gitlab.facts import CHECKING, merged_sha
from providers.vcs.port import ChangeKey, MergeMethod

SETTLED = 2.0
"""Seconds until GitLab has usually looked for conflicts."""
ON_TRAIN = 30.0
"""Seconds until a merge train may have moved."""

_TRANSIENT = CHECKING | {"ci_still_running"}
_REBASING = frozenset({"rebase_merge", "ff"})


async def merge(client: GitLabClient, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
    """The commit the target branch became. Raises as the port says."""
    project = path_of("projects", key.repository)
    path = f"{project}/merge_requests/{key.number}"
    try:
        settings = await client.get(project)
        if method is MergeMethod.REBASE and settings.text("merge_method") not in _REBASING:
            raise Unsupported(
                f"'{key.repository}' merges by merge commits: GitLab rebases only where the project's merge method says so",
                advice="choose a merge method with semi-linear history or fast-forward in the project's settings, or merge otherwise",
            )
        trains = settings.fields.get("merge_trains_enabled") is True
        refusal = await _ask(client, project, key, head_sha, method, trains=trains)
        return await _merged(client, path, head_sha, refusal, trains=trains)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _ask(
    client: GitLabClient, project: str, key: ChangeKey, head_sha: str, method: MergeMethod, *, trains: bool
) -> ProviderError | None:
    """Ask for the merge; what GitLab had against it. Even a 5xx may have merged."""
    body = {"sha": head_sha, "squash": method is MergeMethod.SQUASH}
    try:
        if trains:
            await client.request("post", f"{project}/merge_trains/merge_requests/{key.number}", body=body)
        else:
            await client.request("put", f"{project}/merge_requests/{key.number}/merge", body=body)
    except (Refused, Missing, AccessRefused, Unreachable) as problem:
        return problem
    return None


async def _merged(client: GitLabClient, path: str, head_sha: str, refusal: ProviderError | None, *, trains: bool) -> str:
    merge_request = await client.get(path)
    landed = merged_sha(merge_request)
    if landed is not None:
        if merge_request.text("sha") != head_sha:
            raise Conflict(f"{merge_request.where}: merged already, with the head {merge_request.text('sha')[:12]}, not {head_sha[:12]}")
        return landed
    raise _refusal(merge_request, head_sha, refusal, trains=trains) from refusal


def _refusal(merge_request: Document, head_sha: str, refusal: ProviderError | None, *, trains: bool) -> ProviderError:
    """What a merge that did not happen means to who asked for it."""
    where = merge_request.where
    if merge_request.text("state") == "closed":
        return PermanentError(f"{where}: it is closed")
    if merge_request.text("sha") != head_sha:
        return Conflict(f"{where}: the head is {merge_request.text('sha')[:12]}, not {head_sha[:12]}")
    if refusal is None or merge_request.text("state") == "locked":
        wait = ON_TRAIN if trains else SETTLED
        return TemporaryError(f"{where}: {'it is on the merge train' if trains else 'it is being merged'}", retry_after=wait)
    if isinstance(refusal, TokenRefused):
        return AccessRefused(str(refusal), advice="let the gateway's account merge into this branch (protected branches)")
    if not isinstance(refusal, Refused):
        return refusal
    if merge_request.flag("draft"):
        return PermanentError(f"{refusal}: it is a draft")
    if merge_request.flag("has_conflicts"):
        return Conflict(f"{refusal}: it conflicts with its target branch")
    status = merge_request.text("detailed_merge_status")
    if status in _TRANSIENT:
        return TemporaryError(f"{refusal}: GitLab says '{status}'", retry_after=SETTLED)
    if trains and refusal.status == 409:
        return TemporaryError(f"{refusal}: it is on the merge train already", retry_after=ON_TRAIN)
    if refusal.status == 409:
        return Conflict(str(refusal))
    return PermanentError(f"{refusal}: GitLab says '{status}'")
