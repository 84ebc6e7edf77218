"""The REST side: one function for each operation, named by its method and path in GitHub's description."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt

from providers.errors import NotFound
from providers.vcs.membership import Role
from providers.vcs.memory.facts import facts
from providers.vcs.memory.merging import land
from providers.vcs.memory.state import StoredRepository, StoredStatus
from providers.vcs.model import ChangeState
from providers.vcs.port import ChangeKey, MergeMethod
from tests.servers.github import documents
from tests.servers.github.openapi import Operation
from tests.servers.github.rules import objection, on_branch
from tests.servers.github.state import GithubState, Identity, StoredApp, blob_id

Json = Any
TOKEN_SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, once it is known who asks. `app`: it came with an App's own JWT."""

    identity: Identity
    app: StoredApp | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer. A list is cut into pages; `key`: it stands in this field, beside how long it is."""

    status: int = 200
    body: Json = None
    items: Sequence[Json] | None = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Rendered(Sequence[Json]):
    """A list of which only the page that is asked for is written."""

    def __init__(self, things: Sequence[Any], render: Callable[[Any], Json]) -> None:
        self._things, self._render = things, render

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, place: Any) -> Any:
        chosen = self._things[place]
        return [self._render(one) for one in chosen] if isinstance(place, slice) else self._render(chosen)


Handler = Callable[[GithubState, Asked], Said]
OPERATIONS: dict[Operation, Handler] = {}


def serves(method: str, template: str) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        OPERATIONS[Operation(method, template)] = handler
        return handler

    return keep


def refused(status: int, message: str) -> Said:
    return Said(status=status, body={"message": message, "documentation_url": "https://docs.github.com/rest"})


def gone() -> Said:
    return refused(404, "Not Found")


def stored(state: GithubState, asked: Asked) -> StoredRepository:
    """The repository a path names. Raises NotFound."""
    return state.forge.world.repository(f"{asked.path['owner']}/{asked.path['repo']}")


def key_of(state: GithubState, asked: Asked) -> ChangeKey:
    """The pull request a path names. Raises NotFound."""
    key = ChangeKey(repository=stored(state, asked).name, number=int(asked.path["pull_number"]))
    state.forge.world.change(key)
    return key


# --- who asks ---------------------------------------------------------------------------------------


@serves("GET", "/user")
def own_user(state: GithubState, asked: Asked) -> Said:
    if asked.identity.app_id is not None:
        return refused(403, "Resource not accessible by integration")
    return Said(body={**documents.user(state.forge.world.account(asked.identity.login)), "user_view_type": "public"})


@serves("GET", "/app")
def own_app(state: GithubState, asked: Asked) -> Said:
    app = asked.app
    assert app is not None
    body = {"id": app.id, "slug": app.slug, "name": app.slug, "permissions": app.permissions, "events": app.events}
    return Said(body={**body, "external_url": "https://gate.test/", "owner": documents.user(state.forge.world.account("acme"))})


def _installation(state: GithubState, app: StoredApp) -> Json:
    return {
        "id": app.installation_id,
        "app_id": app.id,
        "app_slug": app.slug,
        "account": documents.user(state.forge.world.account("acme")),
        "permissions": app.permissions,
        "events": app.events,
        "target_type": "Organization",
        "repository_selection": "all",
        "suspended_at": None,
    }


@serves("GET", "/app/installations")
def installations(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    return Said(items=[_installation(state, asked.app)] if asked.app.installed else [])


@serves("GET", "/app/installations/{installation_id}")
def installation(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    known = asked.app.installed and asked.path["installation_id"] == str(asked.app.installation_id)
    return Said(body=_installation(state, asked.app)) if known else gone()


@serves("POST", "/app/installations/{installation_id}/access_tokens")
def issue_token(state: GithubState, asked: Asked) -> Said:
    app = asked.app
    assert app is not None
    if not app.installed or asked.path["installation_id"] != str(app.installation_id):
        return gone()
    token = f"ghs_{app.id}_{uuid.uuid4().hex}" + "x" * 400  # they are no longer forty characters
    ends = time.time() + TOKEN_SECONDS
    state.tokens[token] = Identity(login=f"{app.slug}[bot]", app_id=app.id, ends=ends)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    return Said(status=201, body={"token": token, "expires_at": moment, "permissions": app.permissions, "repository_selection": "all"})


@serves("GET", "/users/{username}")
def one_user(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.accounts.get(asked.path["username"])
    return Said(body={**documents.user(found), "user_view_type": "public"}) if found is not None else gone()


@serves("GET", "/app/hook/config")
def hook_config(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    return Said(body={name: value for name, value in asked.app.hook.items() if name != "secret"})


@serves("PATCH", "/app/hook/config")
def set_hook_config(state: GithubState, asked: Asked) -> Said:
    assert asked.app is not None
    asked.app.hook.update(asked.body)
    return hook_config(state, asked)


@serves("GET", "/rate_limit")
def rate_limit(state: GithubState, asked: Asked) -> Said:
    one = {"limit": 5000, "remaining": 4987, "used": 13, "reset": int(time.time()) + 1800}
    return Said(body={"resources": {"core": one, "search": one, "graphql": {**one, "remaining": 4999}}, "rate": one})


@serves("GET", "/meta")
def meta(state: GithubState, asked: Asked) -> Said:
    enterprise = {"installed_version": state.edition.removeprefix("ghes-") + ".2"} if state.edition.startswith("ghes") else {}
    return Said(body={"verifiable_password_authentication": False, **enterprise})


# --- repositories -----------------------------------------------------------------------------------


@serves("GET", "/repos/{owner}/{repo}")
def one_repository(state: GithubState, asked: Asked) -> Said:
    return Said(body=documents.repository(state, stored(state, asked), asked.identity))


def _all_repositories(state: GithubState, asked: Asked) -> list[Json]:
    found = sorted(state.forge.world.repositories.values(), key=lambda repository: repository.name)
    return [documents.repository(state, one, asked.identity) for one in found]


@serves("GET", "/user/repos")
def own_repositories(state: GithubState, asked: Asked) -> Said:
    return Said(items=_all_repositories(state, asked))


@serves("GET", "/installation/repositories")
def installed_repositories(state: GithubState, asked: Asked) -> Said:
    return Said(items=_all_repositories(state, asked), key="repositories")


@serves("GET", "/repos/{owner}/{repo}/branches/{branch}")
def branch(state: GithubState, asked: Asked) -> Said:
    repository, name = stored(state, asked), asked.path["branch"]
    if name not in repository.branches:
        return refused(404, "Branch not found")
    protected = bool(on_branch(state.of(repository.name), name)) or name in state.of(repository.name).protections
    return Said(body={"name": name, "commit": {"sha": repository.branches[name]}, "protected": protected})


# --- pull requests ------------------------------------------------------------------------------------


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


# --- statuses and check runs ----------------------------------------------------------------------------


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


# --- git ----------------------------------------------------------------------------------------------


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


# --- who belongs to what --------------------------------------------------------------------------------


@serves("GET", "/repos/{owner}/{repo}/collaborators")
def collaborators(state: GithubState, asked: Asked) -> Said:
    repository, world = stored(state, asked), state.forge.world
    found = {actor.id: (actor, role) for actor, role in repository.roles.values() if actor.id not in world.ghosts}
    owner = repository.name.partition("/")[0]
    if owner.lower() not in world.organizations:
        account = world.account(owner)
        found[account.id] = (account, Role.OWNER)
    return Said(items=[{**documents.user(a), "permissions": documents.permissions(r), "role_name": "x"} for a, r in found.values()])


def _team(state: GithubState, team: Any, role: Role | None = None) -> Json:
    described = {"id": int(team.id), "name": team.name, "slug": team.name, "permission": "pull", "parent": None}
    return {**described, **({"permissions": documents.permissions(role)} if role is not None else {})}


@serves("GET", "/repos/{owner}/{repo}/teams")
def repository_teams(state: GithubState, asked: Asked) -> Said:
    repository = stored(state, asked)
    organization = state.forge.world.organization(repository.name.partition("/")[0])
    return Said(items=[_team(state, organization.teams[name], role) for name, role in repository.team_roles.items()])


@serves("GET", "/orgs/{org}")
def organization(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.organization(asked.path["org"])
    return Said(body={"id": int(found.id), "login": found.name, "type": "Organization", "default_repository_permission": "none"})


@serves("GET", "/orgs/{org}/members")
def organization_members(state: GithubState, asked: Asked) -> Said:
    found = state.forge.world.organization(asked.path["org"])
    chosen = found.owners if asked.query.get("role") == "admin" else found.members
    return Said(items=[documents.user(actor) for actor in chosen.values()])


@serves("GET", "/orgs/{org}/teams")
def organization_teams(state: GithubState, asked: Asked) -> Said:
    return Said(items=[_team(state, team) for team in state.forge.world.organization(asked.path["org"]).teams.values()])


@serves("GET", "/orgs/{org}/teams/{team_slug}/members")
def team_members(state: GithubState, asked: Asked) -> Said:
    team = state.forge.world.organization(asked.path["org"]).teams.get(asked.path["team_slug"])
    if team is None:
        return gone()
    chosen = team.maintainers if asked.query.get("role") == "maintainer" else team.members
    return Said(items=[documents.user(actor) for actor in chosen.values()])


def identified_app(state: GithubState, token: str) -> StoredApp | None:
    """The App a JWT is signed by, if it is one that is good now."""
    for app in state.apps.values():
        try:
            jwt.decode(token, app.public_key, algorithms=["RS256"], issuer=str(app.id))
        except jwt.PyJWTError:
            continue
        return app
    return None


__all__ = ["OPERATIONS", "Asked", "NotFound", "Said", "add_run", "identified_app"]
