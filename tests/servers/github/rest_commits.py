"""What belongs to commits: statuses, check runs, and git's own objects."""

from __future__ import annotations

import base64
from typing import Any

from providers.vcs.memory.state import StoredStatus
from tests.servers.github import documents
from tests.servers.github.rest import Asked, Said, gone, refused, serves, stored
from tests.servers.github.state import GithubState, Identity, blob_id

Json = Any


@serves("POST", "/repos/{owner}/{repo}/statuses/{sha}")
def post_status(state: GithubState, asked: Asked) -> Said:
    repository, sha, body = stored(state, asked), asked.path["sha"], asked.body
    if not asked.identity.may_write:
        return refused(403, "Resource not accessible by personal access token")
    if sha not in state.forge.world.objects.commits:
        return refused(422, f"No commit found for SHA: {sha}")
    status = StoredStatus(
        context=body.get("context", "default"),
        state=body["state"],
        description=body.get("description") or "",
        target_url=body.get("target_url") or "",
        by=asked.identity.login,
    )
    state.forge._set_status(repository, sha, status)
    return Said(status=201, body=_status(state, status))


def _status(state: GithubState, status: StoredStatus) -> Json:
    return {
        "id": state.next_id(),
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
        "creator": documents.user(state.forge.world.shown(state.forge.world.account(status.by))),
    }


@serves("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses")
def statuses(state: GithubState, asked: Asked) -> Said:
    found = list(stored(state, asked).statuses.get(asked.path["ref"], {}).values())
    return Said(items=[_status(state, status) for status in reversed(found)])


@serves("POST", "/repos/{owner}/{repo}/check-runs")
def create_run(state: GithubState, asked: Asked) -> Said:
    repository, body = stored(state, asked), asked.body
    if asked.identity.app_id is None:
        return refused(403, "You must authenticate via a GitHub App.")
    if body["head_sha"] not in state.forge.world.objects.commits:
        return refused(422, "No commit found for SHA: " + body["head_sha"])
    return Said(status=201, body=add_run(state, repository.name, asked.identity, body))


def add_run(state: GithubState, repository: str, identity: Identity, body: Json) -> Json:
    """A check run of an App, newest last."""
    slug = identity.login.removesuffix("[bot]")
    output = body.get("output", {})
    run = {
        "id": state.next_id(),
        "name": body["name"],
        "head_sha": body["head_sha"],
        "status": "completed" if body.get("conclusion") else body.get("status", "queued"),
        "conclusion": body.get("conclusion"),
        "details_url": body.get("details_url"),
        "check_suite": {"id": body.get("_suite", identity.app_id)},
        "app": {"id": identity.app_id, "slug": slug, "name": slug, "owner": {"login": "acme", "id": 1, "type": "User"}},
        "output": {
            "title": output.get("title"),
            "summary": output.get("summary"),
            "text": None,
            "annotations_count": len(output.get("annotations", [])),
            "annotations_url": "https://github.test/",
        },
        "pull_requests": [],
        "_annotations": list(output.get("annotations", [])),
        "_actions": body.get("actions", []),
    }
    state.of(repository).runs.append(run)
    return documents.check_run(state, run)


@serves("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}")
def update_run(state: GithubState, asked: Asked) -> Said:
    for run in state.of(stored(state, asked).name).runs:
        if str(run["id"]) == asked.path["check_run_id"]:
            run["_annotations"] += asked.body.get("output", {}).get("annotations", [])
            run["output"]["annotations_count"] = len(run["_annotations"])
            return Said(body=documents.check_run(state, run))
    return gone()


@serves("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
def runs(state: GithubState, asked: Asked) -> Said:
    found = [
        documents.check_run(state, run)
        for run in state.of(stored(state, asked).name).runs
        if run["head_sha"] == asked.path["ref"] and asked.query.get("check_name", run["name"]) == run["name"]
    ]
    latest = {(run["app"]["id"], run["name"]): run for run in found}
    return Said(items=list(latest.values()), key="check_runs")


@serves("GET", "/repos/{owner}/{repo}/git/ref/{ref}")
def ref(state: GithubState, asked: Asked) -> Said:
    kind, _, name = asked.path["ref"].partition("/")
    sha = stored(state, asked).branches.get(name) if kind == "heads" else None
    if sha is None:
        return gone()
    return Said(body={"ref": f"refs/heads/{name}", "node_id": "", "url": "", "object": {"type": "commit", "sha": sha, "url": ""}})


@serves("GET", "/repos/{owner}/{repo}/git/trees/{tree_sha}")
def tree(state: GithubState, asked: Asked) -> Said:
    stored(state, asked)
    found = state.trees.get(asked.path["tree_sha"])
    if found is None:
        return gone()
    entries = [
        {"path": path, "mode": "100644", "type": "blob", "sha": blob_id(content), "size": len(content)}
        for path, content in sorted(found.items())
    ]
    return Said(body={"sha": asked.path["tree_sha"], "tree": entries, "truncated": False})


@serves("GET", "/repos/{owner}/{repo}/git/blobs/{file_sha}")
def blob(state: GithubState, asked: Asked) -> Said:
    sha = asked.path["file_sha"]
    content = next((c for t in state.trees.values() for c in t.values() if blob_id(c) == sha), None)
    if content is None:
        return gone()
    text = base64.encodebytes(content).decode()
    return Said(
        body={"content": text, "encoding": "base64", "sha": sha, "size": len(content), "node_id": "", "url": "https://github.test/"}
    )
