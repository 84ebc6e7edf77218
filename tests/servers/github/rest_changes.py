"""Pull requests: listed, read, and merged at once or in the background."""

from __future__ import annotations

import uuid
from typing import Any

from providers.vcs.memory.facts import facts
from providers.vcs.memory.merging import land
from providers.vcs.model import ChangeState
from providers.vcs.port import ChangeKey, MergeMethod
from tests.servers.github import documents
from tests.servers.github.rest import Asked, Rendered, Said, gone, key_of, refused, serves, stored
from tests.servers.github.rules import objection
from tests.servers.github.state import GithubState

Json = Any


@serves("GET", "/repos/{owner}/{repo}/pulls")
def pulls(state: GithubState, asked: Asked) -> Said:
    repository = stored(state, asked)
    chosen = [change for change in repository.changes.values() if change.state is ChangeState.OPEN]
    newest = sorted(chosen, key=lambda change: (change.updated_at, change.number), reverse=True)
    keys = [ChangeKey(repository=repository.name, number=change.number) for change in newest]
    return Said(items=Rendered(keys, lambda key: documents.pull(state, key, asked.identity, whole=False)))


@serves("GET", "/repos/{owner}/{repo}/pulls/{pull_number}")
def pull(state: GithubState, asked: Asked) -> Said:
    return Said(body=documents.pull(state, key_of(state, asked), asked.identity, whole=True))


@serves("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files")
def files(state: GithubState, asked: Asked) -> Said:
    key = key_of(state, asked)
    change = facts(state.forge.world, key)
    return Said(items=[documents.file(state, key, change.head.sha, changed) for changed in change.files[:3_000]])


def _merge(state: GithubState, key: ChangeKey, asked: Asked, sha: str, method: MergeMethod) -> tuple[int, str]:
    """Status and message; on success the message is the commit."""
    world, change = state.forge.world, state.forge.world.change(key)
    if change.head_sha != sha:
        return 409, "Head branch was modified. Review and try the merge again."
    if change.state is not ChangeState.OPEN or change.draft:
        return 405, "Pull Request is not mergeable" if not change.draft else "Pull Request is still a draft"
    login = asked.identity.login
    user_id = int(world.account(login).id)
    against = objection(state, key.repository, change.base_ref, sha, user_id, asked.identity.app_id)
    if against is not None:
        return 405, against
    stored_repository = world.repository(key.repository)
    if world.objects.merged(stored_repository.branches[change.base_ref], change.head_sha) is None:
        return 405, "Pull Request is not mergeable"
    with state.forge._act(key, "change.merged", login) as acted:
        landed = land(world, stored_repository, acted, world.account(login), method)
    assert landed is not None
    state.forge._moved(stored_repository, change.base_ref, login)
    return 200, landed


@serves("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge")
def merge(state: GithubState, asked: Asked) -> Said:
    key = key_of(state, asked)
    if key.number in state.of(key.repository).stacks:
        return refused(403, "Stacked pull requests have to be merged asynchronously.")
    sha = asked.body.get("sha") or state.forge.world.change(key).head_sha
    status, said = _merge(state, key, asked, sha, MergeMethod(asked.body.get("merge_method", "merge")))
    return (
        Said(body={"sha": said, "merged": True, "message": "Pull Request successfully merged"}) if status == 200 else refused(status, said)
    )


@serves("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge-async")
def merge_async(state: GithubState, asked: Asked) -> Said:
    key = key_of(state, asked)
    change = state.forge.world.change(key)
    if change.state is ChangeState.MERGED:
        details = {"message": "Pull request is already merged", "sha": change.merged_sha}
        return Said(body={"status": "merged", "details": details})
    if change.state is not ChangeState.OPEN or change.draft:
        return Said(status=400, body={"status": "failed", "details": {"message": "Pull request is not ready to be merged"}})
    merges = state.of(key.repository).merges
    for standing in merges.values():
        if standing["_key"] == key and standing["status"] == "pending":
            return Said(status=409, body=_told(standing))
    details = {
        "message": "Merge request was enqueued",
        "uuid": str(uuid.uuid4()),
        "merge_method": asked.body.get("merge_method", "default"),
        "merge_action": asked.body.get("merge_action", "default"),
        "expected_head_sha": asked.body.get("sha") or change.head_sha,
    }
    merges[details["uuid"]] = {"status": "pending", "details": details, "_key": key, "_asked": asked}
    return Said(status=202, body=_told(merges[details["uuid"]]))


@serves("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge-async/{uuid}")
def merge_result(state: GithubState, asked: Asked) -> Said:
    """The merge runs when it is asked about, unless merges are slow here."""
    key = key_of(state, asked)
    standing = state.of(key.repository).merges.get(asked.path["uuid"])
    if standing is None:
        return gone()
    if standing["status"] == "pending" and not state.slow_merges:
        method = MergeMethod(standing["details"]["merge_method"].replace("default", "merge"))
        status, said = _merge(state, key, standing["_asked"], standing["details"]["expected_head_sha"], method)
        standing["status"] = "merged" if status == 200 else "failed"
        standing["details"] = {"message": "merged", "sha": said} if status == 200 else {"message": said}
    return Said(body=_told(standing))


def _told(standing: Json) -> Json:
    return {name: value for name, value in standing.items() if not name.startswith("_")}
