"""Merge, guarded by the head's sha: in the background where this GitHub can, at once where it cannot.

A merge request in the background may already stand with other options: the one that stands counts only if it expects the
head we judged. A stacked pull request takes every one below it along, so only the lowest is merged here.
https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
"""

from __future__ import annotations

import asyncio

from providers.errors import AccessRefused, Conflict, NotFound, PermanentError, ProviderError, TemporaryError, Unreachable
from providers.vcs.documents import Document, UnexpectedShape, document, parsed
from providers.vcs.github.client import GithubClient, path_of
from providers.vcs.github.facts import stack_of, state_by_rest
from providers.vcs.github.faults import Refused
from providers.vcs.model import ChangeState
from providers.vcs.port import ChangeKey, MergeMethod

LOOKS = (0.2, 0.5, 1.0, 2.0)
"""Seconds between looks at a merge in the background; one that takes longer is asked for again by whoever wants it."""
AGAIN = 5.0


class Merging:
    """Merges on one GitHub; whether it merges in the background is found out by the first attempt."""

    def __init__(self, client: GithubClient) -> None:
        self._client = client
        self._in_background: bool | None = None

    async def merge(self, key: ChangeKey, *, head_sha: str, method: MergeMethod) -> str:
        """The merge commit's sha. Raises as the port says."""
        path = path_of("repos", key.repository, "pulls", key.number)
        try:
            before = await self._client.get(path)
            landed = _landed(before, head_sha)
            if landed is not None:
                return landed
            _check_may_ask(before, head_sha)
            refusal = await self._asked(path, head_sha, method)
            return _outcome(await self._client.get(path), head_sha, refusal)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def _asked(self, path: str, head_sha: str, method: MergeMethod) -> ProviderError | None:
        """Have it merged; what stood against it. Even after a 5xx it may have been."""
        body = {"sha": head_sha, "merge_method": method.value}
        try:
            if self._in_background is not False:
                try:
                    return await self._merge_in_background(path, {**body, "merge_action": "default"}, head_sha)
                except NotFound:
                    if self._in_background:
                        raise
                    self._in_background = False  # the pull request is there, so it is this way of merging that is not
            await self._client.request("PUT", f"{path}/merge", json=body)
        except (Refused, AccessRefused, NotFound, Unreachable) as refusal:
            return refusal
        return None

    async def _merge_in_background(self, path: str, body: dict[str, str], head_sha: str) -> ProviderError | None:
        """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request-asynchronously"""
        where = f"PUT {path}/merge-async"
        try:
            answer = await self._client.request("PUT", f"{path}/merge-async", json=body)
            result = document(answer.value, where)
        except Refused as refused:
            self._in_background = True
            if refused.status != 409:
                return refused
            result = document(parsed(refused.body, where), where)  # one stands already
        self._in_background = True
        for pause in LOOKS:
            if result.text("status") != "pending":
                break
            details = result.document("details")
            if details.text("expected_head_sha") != head_sha:
                return Conflict(f"{where}: a merge of the head {details.text('expected_head_sha')[:12]} is under way")
            await asyncio.sleep(pause)
            result = await self._client.get(f"{path}/merge-async/{details.text('uuid')}")
        return _refusal_in_background(result)


def _refusal_in_background(result: Document) -> ProviderError | None:
    said = result.document("details").text("message")
    match result.text("status"):
        case "merged":
            return None
        case "pending" | "enqueued":
            return TemporaryError(f"{result.where}: it is still being merged", retry_after=AGAIN)
        case "failed":
            return Refused(f"{result.where}: {said}", status=405, said=said, body=b"")
    raise UnexpectedShape(f"{result.where}: expected a known status, found {result.text('status')[:40]!r}")


def _landed(pull: Document, head_sha: str) -> str | None:
    """The commit it became, if it is merged with this head. Raises Conflict if with another."""
    if state_by_rest(pull) is not ChangeState.MERGED:
        return None
    landed = pull.document("head").text("sha")
    if landed != head_sha:
        raise Conflict(f"{pull.where}: merged already, with the head {landed[:12]} instead of {head_sha[:12]}")
    return pull.text("merge_commit_sha")


def _check_may_ask(pull: Document, head_sha: str) -> None:
    if state_by_rest(pull) is ChangeState.CLOSED:
        raise PermanentError(f"{pull.where}: it is closed")
    if pull.document("head").text("sha") != head_sha:
        raise Conflict(f"{pull.where}: the head is {pull.document('head').text('sha')[:12]}, not {head_sha[:12]}")
    if pull.flag("draft"):
        raise PermanentError(f"{pull.where}: it is a draft")
    stack = stack_of(pull)
    if stack is not None and stack.position > 1:
        raise PermanentError(
            f"{pull.where}: it stands on {stack.position - 1} others, and all of them would be merged with it",
            advice="merge the lowest of the stack first",
        )


def _outcome(pull: Document, head_sha: str, refusal: ProviderError | None) -> str:
    landed = _landed(pull, head_sha)
    if landed is not None:
        return landed
    if refusal is None:
        raise Unreachable(f"{pull.where}: the answer was a success, but it is not merged")
    if isinstance(refusal, Refused):
        match refusal.status, refusal.said:
            case 409, _:
                raise Conflict(str(refusal)) from refusal
            case 405, said if "base branch was modified" in said.lower():
                raise TemporaryError(f"{refusal}: the target branch moved", retry_after=AGAIN) from refusal
            case 405, said if "not mergeable" in said.lower() and pull.fields.get("mergeable") is None:
                raise TemporaryError(f"{refusal}: conflicts are being looked for", retry_after=AGAIN) from refusal
            case 405, said if "not mergeable" in said.lower():
                raise Conflict(str(refusal)) from refusal
        raise PermanentError(str(refusal)) from refusal
    raise refusal
