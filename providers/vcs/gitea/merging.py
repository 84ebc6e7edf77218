"""Merge, guarded by the head's sha, and find out what became of it when the answer does not say.

`merge_when_checks_succeed` is never sent: it ignores `head_commit_id`. A refused merge makes Gitea check every pull
request of that base again, so nothing here merges to probe.
"""

from __future__ import annotations

from providers.errors import AccessRefused, Conflict, NotFound, PermanentError, ProviderError, TemporaryError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape
from providers.vcs.gitea.client import GiteaClient, Refused, path_of
from providers.vcs.port import ChangeKey, MergeMethod

_DO = {MergeMethod.MERGE: "merge", MergeMethod.SQUASH: "squash", MergeMethod.REBASE: "rebase"}
CHECKING = 2.0
"""Seconds until Gitea has usually checked for conflicts again."""


async def merge(client: GiteaClient, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
    """The merge commit's sha. Raises as the port says."""
    path = path_of("repos", key.repository, "pulls", key.number)
    try:
        await client.request("POST", f"{path}/merge", json={"Do": _DO[method], "head_commit_id": head_sha}, expect_json=False)
        refusal: ProviderError | None = None
    except (Refused, NotFound, Unreachable) as problem:
        refusal = problem  # even a 5xx may have merged, and 404 is also the answer for one that is closed
    try:
        return await _merged(client, path, head_sha, refusal)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


async def _merged(client: GiteaClient, path: str, head_sha: str, refusal: ProviderError | None) -> str:
    pull = await client.get(path)
    if pull.flag("merged"):
        landed = await _landed_head(client, path)
        if landed != head_sha:
            raise Conflict(f"POST {path}/merge: merged already, with the head {landed[:12]} instead of {head_sha[:12]}")
        return pull.text("merge_commit_sha")
    raise _refusal(path, pull, refusal) from refusal


async def _landed_head(client: GiteaClient, path: str) -> str:
    """The head that was merged: the branch may have moved on since, the list of commits does not."""
    commits = await client.everything(f"{path}/commits", files="false", stat="false", verification="false")
    return commits[0].text("sha") if commits else ""


def _refusal(path: str, pull: Document, refusal: ProviderError | None) -> ProviderError:
    """What a merge that did not happen means to who asked for it."""
    if refusal is None:
        return Unreachable(f"POST {path}/merge: the answer was a success, but it is not merged")
    if pull.text("state") != "open":
        return PermanentError(f"POST {path}/merge: it is closed")
    if not isinstance(refusal, Refused):
        return refusal
    match refusal.status, refusal.said:
        case 405, "Please try again later":
            return TemporaryError(f"{refusal}: conflicts are being looked for, or there are some", retry_after=CHECKING)
        case 405, "User not allowed to merge PR":
            return AccessRefused(str(refusal), advice="put the gateway's account on the branch's merge whitelist")
        case 409, said if "head out of date" in said or "head target does not match" in said:
            return Conflict(str(refusal))
        case 409, said if "push out of date" in said or "cannot lock ref" in said:
            return TemporaryError(f"{refusal}: the target branch moved", retry_after=CHECKING)
        case 409, _:
            return Conflict(str(refusal))
    return PermanentError(str(refusal))
