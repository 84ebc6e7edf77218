"""The endpoints of a GitLab of the tests, by GitLab's own names for them. Enter by `tests.servers.gitlab`."""

from __future__ import annotations

import base64
import fnmatch
from typing import Any

from providers.vcs import ChangeKey, ChangeState, MergeMethod
from providers.vcs.blobs import name_of
from providers.vcs.memory.merging import land
from providers.vcs.memory.state import StoredRepository
from tests.servers.gitlab import Call, GitLab, Page, Wrong, route

DEVELOPER, MAINTAINER = 30, 40


# --- finding things ---------------------------------------------------------------------------------


def repository_of(gitlab: GitLab, call: Call, level: int = 0) -> StoredRepository:
    """By number or path, if the caller has the level."""
    id = call.parts["id"]
    known = gitlab.forge.world.repositories
    found = next((one for one in known.values() if one.id == id), None) if id.isdecimal() else known.get(id.lower())
    if found is None or (not found.public and gitlab.level(found, call.login) == 0):
        raise Wrong(404, "404 Project Not Found")
    if gitlab.level(found, call.login) < level:
        raise Wrong(403, "403 Forbidden")
    return found


def key_of(gitlab: GitLab, call: Call, level: int = 0) -> ChangeKey:
    repository = repository_of(gitlab, call, level)
    number = int(call.parts["iid"])
    if number not in repository.changes:
        raise Wrong(404, "404 Not found")
    return ChangeKey(repository=repository.name, number=number)


# --- the account and the server ----------------------------------------------------------------------


@route("GET", "/user")
def user(gitlab: GitLab, call: Call) -> Any:
    return gitlab.user(gitlab.forge.account(call.login))


@route("GET", "/users")
def users(gitlab: GitLab, call: Call) -> Any:
    accounts = gitlab.forge.world.accounts
    return Page([gitlab.user(accounts[call.query["username"]])] if call.query["username"] in accounts else [])


@route("GET", "/metadata")
def metadata(gitlab: GitLab, call: Call) -> Any:
    return {"version": "18.5.0-ee", "revision": "0000000", "enterprise": True, "kas": {"enabled": False}}


@route("GET", "/personal_access_tokens/self")
def token(gitlab: GitLab, call: Call) -> Any:
    scopes = next(scopes for login, scopes in gitlab.tokens.values() if login == call.login)
    return {"id": 1, "name": "exam", "revoked": False, "scopes": scopes, "active": True, "user_id": 1, "expires_at": None}


# --- projects -------------------------------------------------------------------------------------------


@route("GET", "/projects")
def projects(gitlab: GitLab, call: Call) -> Any:
    assert call.query["membership"] == "true"
    mine = [one for one in gitlab.forge.world.repositories.values() if gitlab.level(one, call.login)]
    return Page([gitlab.project_document(one, call.login) for one in sorted(mine, key=lambda one: int(one.id))])


@route("GET", "/projects/:id")
def project(gitlab: GitLab, call: Call) -> Any:
    return gitlab.project_document(repository_of(gitlab, call), call.login)


@route("PUT", "/projects/:id")
def edit_project(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call, MAINTAINER)
    gitlab.project(repository).settings |= call.body
    return gitlab.project_document(repository, call.login)


@route("GET", "/projects/:id/members/all")
def members(gitlab: GitLab, call: Call) -> Any:
    return Page([gitlab.member(actor, level) for actor, level in gitlab.members(repository_of(gitlab, call))])


@route("GET", "/groups/:id")
def group(gitlab: GitLab, call: Call) -> Any:
    found = gitlab.forge.world.organizations.get(call.parts["id"].lower())
    if found is None:
        raise Wrong(404, "404 Group Not Found")
    return {"id": int(found.id), "name": found.name, "path": found.name, "full_path": found.name, "parent_id": None}


@route("GET", "/groups/:id/members/all")
def group_members(gitlab: GitLab, call: Call) -> Any:
    group(gitlab, call)
    found = gitlab.forge.world.organizations[call.parts["id"].lower()]
    teams = {id for team in found.teams.values() for id in team.members}
    own = [actor for id, actor in found.members.items() if id in found.owners or id not in teams]
    return Page([gitlab.member(actor, 50 if actor.id in found.owners else 10) for actor in own])


@route("GET", "/groups/:id/descendant_groups")
def descendants(gitlab: GitLab, call: Call) -> Any:
    group(gitlab, call)
    found = gitlab.forge.world.organizations[call.parts["id"].lower()]
    return Page(
        [
            {"id": int(t.id), "name": t.name, "path": t.name, "full_path": f"{found.name}/{t.name}", "parent_id": int(found.id)}
            for t in found.teams.values()
        ]
    )


@route("GET", "/groups/:id/members")
def team_members(gitlab: GitLab, call: Call) -> Any:
    teams = [team for one in gitlab.forge.world.organizations.values() for team in one.teams.values()]
    team = next(team for team in teams if team.id == call.parts["id"])
    return Page([gitlab.member(actor, 50 if actor.id in team.maintainers else 30) for actor in team.members.values()])


# --- the repository -----------------------------------------------------------------------------------


@route("GET", "/projects/:id/repository/branches/:branch")
def branch(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call)
    name = call.parts["branch"]
    if name not in repository.branches:
        raise Wrong(404, "404 Branch Not Found")
    tip = gitlab.commit(gitlab.forge.world.objects.commits[repository.branches[name]])
    protected = any(fnmatch.fnmatchcase(name, rule["name"]) for rule in gitlab.project(repository).rules)
    return {"name": name, "commit": tip, "protected": protected, "default": name == "main", "merged": False}


@route("GET", "/projects/:id/repository/tags/:tag")
def tag(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    raise Wrong(404, "404 Tag Not Found")


@route("GET", "/projects/:id/repository/commits")
def commits(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    base, _, head = call.query["ref_name"].partition("..")
    return Page([gitlab.commit(commit) for commit in gitlab.commits(base, head)], counted=False)


@route("GET", "/projects/:id/repository/commits/:sha")
def commit(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    found = gitlab.forge.world.objects.commits.get(call.parts["sha"])
    if found is None:
        raise Wrong(404, "404 Commit Not Found")
    return gitlab.commit(found)


@route("GET", "/projects/:id/repository/tree")
def tree(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    found = gitlab.tree(call.query["ref"], call.query.get("path", ""))
    if found is None:
        raise Wrong(404, "404 Tree Not Found")
    return Page(found)


@route("GET", "/projects/:id/repository/blobs/:sha")
def blob(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    data = gitlab.blob(call.parts["sha"])
    if data is None:
        raise Wrong(404, "404 Blob Not Found")
    return {"size": len(data), "encoding": "base64", "content": base64.b64encode(data).decode(), "sha": name_of(data)}


@route("GET", "/projects/:id/repository/merge_base")
def merge_base(gitlab: GitLab, call: Call) -> Any:
    repository_of(gitlab, call)
    one, other = call.query["refs[]"].split(" ")
    found = gitlab.forge.world.objects.merge_base(one, other)
    if found is None:
        raise Wrong(404, "404 Merge Base Not Found")
    return gitlab.commit(gitlab.forge.world.objects.commits[found])


# --- statuses -------------------------------------------------------------------------------------------


@route("GET", "/projects/:id/repository/commits/:sha/statuses")
def statuses(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call)
    listed = gitlab.project(repository).statuses.get(call.parts["sha"], [])
    latest = {(one["name"], one["ref"], one["pipeline_id"]): one for one in listed}.values()
    return Page([one for one in latest if call.query.get("name") in (None, one["name"])])


@route("POST", "/projects/:id/statuses/:sha")
def post_status(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call, DEVELOPER)
    sha, state = call.parts["sha"], call.body["state"]
    if sha not in gitlab.forge.world.objects.commits:
        raise Wrong(404, "404 Commit Not Found")
    if "ref" not in call.body and sha not in repository.branches.values():
        raise Wrong(404, "404 References for commit Not Found")
    listed = gitlab.project(repository).statuses.setdefault(sha, [])
    place = {"name": call.body.get("name", "default"), "ref": call.body.get("ref", "main"), "pipeline_id": call.body.get("pipeline_id", 1)}
    going = [one for one in listed if one["status"] in ("pending", "running") and all(one[k] == v for k, v in place.items())]
    if going and (state == "pending" or state == going[-1]["status"]):
        raise Wrong(400, f"Cannot transition status via :enqueue from :{going[-1]['status']} (Reason(s): Status cannot transition)")
    texts = {"status": state, "description": call.body.get("description"), "target_url": call.body.get("target_url")}
    if going:
        going[-1].update(texts)
        return going[-1]
    account = gitlab.user(gitlab.forge.account(call.login))
    author = {name: account[name] for name in ("id", "username", "name", "state")}
    listed.append({"id": gitlab.new_id(), "sha": sha, **place, **texts, "allow_failure": False, "author": author})
    return listed[-1]


# --- merge requests --------------------------------------------------------------------------------------


@route("GET", "/projects/:id/merge_requests")
def merge_requests(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call)
    assert call.query["state"] == "opened"
    opened = [one for one in repository.changes.values() if one.state is ChangeState.OPEN]
    wanted = [one for one in opened if call.query.get("target_branch") in (None, one.base_ref)]
    wanted.sort(key=lambda one: (getattr(one, call.query["order_by"]), one.number), reverse=call.query["sort"] == "desc")
    return Page([gitlab.merge_request(ChangeKey(repository=repository.name, number=one.number), whole=False) for one in wanted])


@route("GET", "/projects/:id/merge_requests/:iid")
def merge_request(gitlab: GitLab, call: Call) -> Any:
    key = key_of(gitlab, call)
    shown = gitlab.merge_request(key, whole=True)
    if key in gitlab.checking:
        gitlab.checking[key] -= 1
        if gitlab.checking[key] <= 0:
            del gitlab.checking[key]
    return shown


@route("GET", "/projects/:id/merge_requests/:iid/diffs")
def diffs(gitlab: GitLab, call: Call) -> Any:
    return Page(gitlab.diffs(key_of(gitlab, call)))


@route("GET", "/projects/:id/merge_requests/:iid/approvals")
def approvals(gitlab: GitLab, call: Call) -> Any:
    words = gitlab.words(key_of(gitlab, call)).values()
    given = [{"user": gitlab.user(actor), "approved_at": at} for actor, state, at in words if state == "approved"]
    return {"approved": bool(given), "approved_by": given, "user_has_approved": False, "user_can_approve": True}


@route("GET", "/projects/:id/merge_requests/:iid/reviewers")
def reviewers(gitlab: GitLab, call: Call) -> Any:
    key = key_of(gitlab, call)
    spoken = [{"user": gitlab.user(actor), "state": state, "created_at": at} for actor, state, at in gitlab.words(key).values()]
    change = gitlab.forge.world.change(key)
    asked = [{"user": gitlab.user(actor), "state": "unreviewed", "created_at": change.created_at} for actor in change.requested]
    return Page(spoken + asked)


@route("GET", "/projects/:id/merge_requests/:iid/versions")
def versions(gitlab: GitLab, call: Call) -> Any:
    key = key_of(gitlab, call)
    base, start, _ = gitlab.diff_refs(key)
    listed = [
        {
            "id": number,
            "head_commit_sha": sha,
            "base_commit_sha": base,
            "start_commit_sha": start,
            "created_at": at,
            "merge_request_id": int(call.parts["iid"]),
            "state": "collected",
            "real_size": "1",
        }
        for number, (at, sha) in enumerate(gitlab.versions[key], start=1)
    ]
    return Page(listed[::-1])


@route("GET", "/projects/:id/merge_requests/:iid/discussions")
def discussions(gitlab: GitLab, call: Call) -> Any:
    return Page(gitlab.discussions(key_of(gitlab, call)))


@route("GET", "/projects/:id/merge_requests/:iid/blocks")
def blocks(gitlab: GitLab, call: Call) -> Any:
    if gitlab.tier == "free":
        raise Wrong(404, "404 Not Found")
    key = key_of(gitlab, call)
    change = gitlab.forge.world.change(key)
    shown = [gitlab.merge_request(other, whole=False) for other in change.dependencies]
    return Page([{"id": n, "blocking_merge_request": one, "project_id": one["project_id"]} for n, one in enumerate(shown, start=1)])


@route("GET", "/projects/:id/merge_requests/:iid/pipelines")
def pipelines(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call)
    return Page(gitlab.project(repository).pipelines.get(key_of(gitlab, call).number, []))


@route("GET", "/projects/:id/pipelines")
def project_pipelines(gitlab: GitLab, call: Call) -> Any:
    listed = gitlab.project(repository_of(gitlab, call)).pipelines.values()
    return Page([pipeline for some in listed for pipeline in some if pipeline["sha"] == call.query["sha"]])


@route("GET", "/projects/:id/merge_trains/:branch")
def train(gitlab: GitLab, call: Call) -> Any:
    """Each car with the newest pipeline of its train's ref."""
    repository = repository_of(gitlab, call, DEVELOPER)
    project = gitlab.project(repository)
    if not project.settings.get("merge_trains_enabled"):
        raise Wrong(403, "403 Forbidden")
    cars = []
    for place, number in enumerate(project.train, start=1):
        on_train = [one for one in project.pipelines.get(number, []) if one["ref"] == f"refs/merge-requests/{number}/train"]
        shown = {"id": place, "merge_request": {"iid": number}, "pipeline": on_train[-1] if on_train else None, "status": "fresh"}
        cars.append(shown | {"target_branch": call.parts["branch"]})
    return Page(cars)


# --- merging ------------------------------------------------------------------------------------------------


@route("PUT", "/projects/:id/merge_requests/:iid/merge")
def merge(gitlab: GitLab, call: Call) -> Any:
    repository, key = repository_of(gitlab, call), key_of(gitlab, call)
    change = gitlab.forge.world.change(key)
    if not may_merge(gitlab, repository, change.base_ref, call.login):
        raise Wrong(401, "401 Unauthorized")
    if change.state is not ChangeState.OPEN or change.draft or key in gitlab.checking or missing_checks(gitlab, key):
        raise Wrong(405, "405 Method Not Allowed")
    if call.body.get("sha") not in (None, change.head_sha):
        raise Wrong(409, "SHA does not match HEAD of source branch")
    method = MergeMethod.SQUASH if call.body.get("squash") else MergeMethod.MERGE
    rebasing = gitlab.project(repository).settings.get("merge_method") in ("ff", "rebase_merge")
    with gitlab.forge._act(key, "change.merged", call.login):
        by = gitlab.forge.account(call.login)
        landed = land(
            gitlab.forge.world, repository, change, by, MergeMethod.REBASE if rebasing and method is MergeMethod.MERGE else method
        )
    if landed is None:
        raise Wrong(422, "Branch cannot be merged")
    return gitlab.merge_request(key, whole=True)


def may_merge(gitlab: GitLab, repository: StoredRepository, branch: str, login: str) -> bool:
    """By protected branches: the most generous rule counts."""
    level, id = gitlab.level(repository, login), int(gitlab.forge.account(login).id)
    rules = [rule for rule in gitlab.project(repository).rules if fnmatch.fnmatchcase(branch, rule["name"])]
    if not rules:
        return level >= DEVELOPER
    allowed = [one for rule in rules for one in rule["merge_access_levels"]]
    return any(one["user_id"] == id if one["user_id"] is not None else 0 < one["access_level"] <= level for one in allowed)


def missing_checks(gitlab: GitLab, key: ChangeKey) -> bool:
    """Whether an external status check that counts has not passed."""
    world = gitlab.forge.world
    repository, change = world.repository(key.repository), world.change(key)
    project = gitlab.project(repository)
    if not project.settings.get("only_allow_merge_if_all_status_checks_passed"):
        return False
    said = [project.responses.get((key.number, change.head_sha, one["id"])) for one in applying(gitlab, repository, change.base_ref)]
    return any(one != "passed" for one in said)


@route("POST", "/projects/:id/merge_trains/merge_requests/:iid")
def board_train(gitlab: GitLab, call: Call) -> Any:
    repository, key = repository_of(gitlab, call), key_of(gitlab, call)
    change, train = gitlab.forge.world.change(key), gitlab.project(repository).train
    if not gitlab.project(repository).settings.get("merge_trains_enabled"):
        raise Wrong(403, "403 Forbidden")
    if call.body.get("sha") not in (None, change.head_sha) or key.number in train:
        raise Wrong(409, "SHA does not match HEAD of source branch")
    if change.state is not ChangeState.OPEN or change.draft or missing_checks(gitlab, key):
        raise Wrong(400, "Failed to merge")
    train.append(key.number)
    return []


# --- hooks, rules and checks ----------------------------------------------------------------------------------


@route("GET", "/projects/:id/hooks")
def hooks(gitlab: GitLab, call: Call) -> Any:
    return Page(gitlab.project(repository_of(gitlab, call, MAINTAINER)).hooks)


@route("POST", "/projects/:id/hooks")
def add_hook(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call, MAINTAINER)
    secret = {"token", "signing_token"}
    shown = {name: value for name, value in call.body.items() if name not in secret}
    made = {"id": gitlab.new_id(), "project_id": int(repository.id), **shown, "push_events_branch_filter": "", "alert_status": "executable"}
    gitlab.project(repository).hooks.append({**made, "disabled_until": None, "signing_token_present": "signing_token" in call.body})
    return gitlab.project(repository).hooks[-1]


@route("DELETE", "/projects/:id/hooks/:hook")
def delete_hook(gitlab: GitLab, call: Call) -> Any:
    project = gitlab.project(repository_of(gitlab, call, MAINTAINER))
    project.hooks = [hook for hook in project.hooks if hook["id"] != int(call.parts["hook"])]


@route("GET", "/projects/:id/protected_branches")
def protected_branches(gitlab: GitLab, call: Call) -> Any:
    return Page(gitlab.project(repository_of(gitlab, call, MAINTAINER)).rules)


@route("GET", "/projects/:id/protected_branches/:name")
def protected_branch(gitlab: GitLab, call: Call) -> Any:
    found = [rule for rule in gitlab.project(repository_of(gitlab, call, MAINTAINER)).rules if rule["name"] == call.parts["name"]]
    if not found:
        raise Wrong(404, "404 Not found")
    return found[0]


@route("POST", "/projects/:id/protected_branches")
def protect(gitlab: GitLab, call: Call) -> Any:
    project = gitlab.project(repository_of(gitlab, call, MAINTAINER))
    named = call.body.get("allowed_to_merge") if gitlab.tier != "free" else None
    rule = {
        "id": gitlab.new_id(),
        "name": call.body["name"],
        "push_access_levels": [access(gitlab, {"access_level": call.body.get("push_access_level", MAINTAINER)})],
        "merge_access_levels": [
            access(gitlab, one) for one in named or [{"access_level": call.body.get("merge_access_level", MAINTAINER)}]
        ],
        "unprotect_access_levels": [],
        "allow_force_push": call.body.get("allow_force_push", False),
        "code_owner_approval_required": False,
    }
    project.rules.append(rule)
    return rule


@route("PATCH", "/projects/:id/protected_branches/:name")
def change_protection(gitlab: GitLab, call: Call) -> Any:
    rule = protected_branch(gitlab, call)
    rule["allow_force_push"] = call.body.get("allow_force_push", rule["allow_force_push"])
    for asked, kept in (("allowed_to_push", "push_access_levels"), ("allowed_to_merge", "merge_access_levels")):
        if asked not in call.body or gitlab.tier == "free":
            continue
        gone = {one["id"] for one in call.body[asked] if one.get("_destroy")}
        rule[kept] = [one for one in rule[kept] if one["id"] not in gone]
        rule[kept] += [access(gitlab, one) for one in call.body[asked] if not one.get("_destroy")]
    return rule


def access(gitlab: GitLab, asked: dict[str, Any]) -> dict[str, Any]:
    names = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers"}
    user = asked.get("user_id")
    level = asked.get("access_level", MAINTAINER)
    said = f"user {user}" if user is not None else names[level]
    return {"id": gitlab.new_id(), "access_level": level, "access_level_description": said, "user_id": user, "group_id": None}


@route("GET", "/projects/:id/external_status_checks")
def checks(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call)
    if gitlab.tier != "ultimate" or gitlab.level(repository, call.login) < MAINTAINER:
        raise Wrong(401, "401 Unauthorized")
    return Page(gitlab.project(repository).checks)


@route("POST", "/projects/:id/external_status_checks")
def add_check(gitlab: GitLab, call: Call) -> Any:
    repository = repository_of(gitlab, call, MAINTAINER)
    project = gitlab.project(repository)
    if any(one["name"] == call.body["name"] or one["external_url"] == call.body["external_url"] for one in project.checks):
        raise Wrong(422, "Name is already taken")
    made = {"id": gitlab.new_id(), "name": call.body["name"], "project_id": int(repository.id), "external_url": call.body["external_url"]}
    project.checks.append({**made, "hmac": False, "protected_branches": watched(project.rules, call.body["protected_branch_ids"])})
    return project.checks[-1]


@route("PUT", "/projects/:id/external_status_checks/:check")
def edit_check(gitlab: GitLab, call: Call) -> Any:
    project = gitlab.project(repository_of(gitlab, call, MAINTAINER))
    found = next(one for one in project.checks if one["id"] == int(call.parts["check"]))
    found["protected_branches"] = watched(project.rules, call.body["protected_branch_ids"])
    return found


def watched(rules: list[dict[str, Any]], ids: list[int]) -> list[dict[str, Any]]:
    return [{"id": rule["id"], "name": rule["name"]} for rule in rules if rule["id"] in ids]


def applying(gitlab: GitLab, repository: StoredRepository, branch: str) -> list[dict[str, Any]]:
    """The checks that watch a branch."""
    return [
        one
        for one in gitlab.project(repository).checks
        if not one["protected_branches"] or any(fnmatch.fnmatchcase(branch, rule["name"]) for rule in one["protected_branches"])
    ]


@route("GET", "/projects/:id/merge_requests/:iid/status_checks")
def merge_request_checks(gitlab: GitLab, call: Call) -> Any:
    if gitlab.tier != "ultimate":
        raise Wrong(401, "401 Unauthorized")
    key = key_of(gitlab, call, DEVELOPER)
    repository, change = gitlab.forge.world.repository(key.repository), gitlab.forge.world.change(key)
    responses = gitlab.project(repository).responses
    return Page(
        [
            {
                "id": one["id"],
                "name": one["name"],
                "external_url": one["external_url"],
                "status": responses.get((key.number, change.head_sha, one["id"]), "pending"),
            }
            for one in applying(gitlab, repository, change.base_ref)
        ]
    )


@route("POST", "/projects/:id/merge_requests/:iid/status_check_responses")
def respond(gitlab: GitLab, call: Call) -> Any:
    key = key_of(gitlab, call, DEVELOPER)
    repository, change = gitlab.forge.world.repository(key.repository), gitlab.forge.world.change(key)
    if call.body["sha"] != change.head_sha:
        raise Wrong(409, "SHA does not match HEAD of source branch: " + change.head_sha)
    answer = (key.number, call.body["sha"], call.body["external_status_check_id"])
    gitlab.project(repository).responses[answer] = call.body["status"]
    return {"id": gitlab.new_id()}
