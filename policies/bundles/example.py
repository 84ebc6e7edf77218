"""A complete input document from the little an author wants to say: what cases and tests start from.

    a_document({"change": {"draft": True, "reviews": [{"user": "bea"}], "files": ["README.md"]}})

Objects are merged over defaults and lists replace them; each item of a list is completed by its own defaults.
A person may be written as a login alone, a changed file as a path alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from policies.model import Json

_MOMENT = "2026-01-05T09:00:00Z"
_Complete = Callable[[Any, Mapping[str, Any]], Any]
"""(what the author wrote, the whole change so far) → complete."""


def a_document(overrides: Mapping[str, Any] | None = None) -> dict[str, Json]:
    """A whole document, version 1: an open change of `ana` in acme/shop, or a workflow where the overrides have one.

    What does not fit the schema is passed through as it is, for `request_from_document` to refuse by name.
    """
    given = dict(overrides or {})
    complete: dict[str, Any] = {"version": 1, "time": _MOMENT}
    if "workflow" in given:
        complete |= {"action": "submit", "subject": "ana", "workflow": _WORKFLOW}
    else:
        complete |= {"action": "merge", "change": _CHANGE}
    complete = _over(complete, given)
    if isinstance(complete.get("change"), Mapping):
        complete["change"] = _change(complete["change"])
        complete |= _code_owners(complete)
        complete.setdefault("subject", complete["change"].get("author"))
    if isinstance(complete.get("workflow"), Mapping):
        complete["workflow"] = _workflow(complete["workflow"])
    complete["subject"] = _person(complete.get("subject"), _connection_of(complete))
    return complete


_CHANGE: Mapping[str, Any] = {
    "connection": "work",
    "forge": "gitea",
    "repository": {"id": "12", "name": "acme/shop"},
    "number": 7,
    "title": "Change something",
    "body": "",
    "author": "ana",
    "labels": [],
    "draft": False,
    "state": "open",
    "head": {"ref": "something", "sha": "a" * 40, "repository": "acme/shop", "fork": False},
    "base": {"ref": "main", "sha": "b" * 40, "protected": True},
    "stack": None,
    "mergeable": True,
    "files": ["README.md"],
    "commits": [{"message": "Change something"}],
    "reviews": [],
    "requested_reviewers": [],
    "checks": [],
    "comments": [],
    "threads": [],
    "dependencies": [],
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
}
_WORKFLOW: Mapping[str, Any] = {"name": "deploy", "target": "production", "input": {}, "labels": {}, "source": None}

_SOURCE: Mapping[str, Any] = {"connection": "work", "repository": "acme/shop", "ref": "main", "sha": "a" * 40, "admission": None}
_ADMISSION: Mapping[str, Any] = {
    "outcome": "admitted",
    "at": _MOMENT,
    "generation": 1,
    "decision": "an-earlier-decision",
    "merged": "gate",
    "target_branch": "main",
}


def _workflow(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """A source, and what is on record of it, completed where there is a part of one."""
    source = workflow.get("source")
    if not isinstance(source, Mapping):
        return dict(workflow)
    complete = {**_SOURCE, **source}
    if isinstance(complete["admission"], Mapping):
        complete["admission"] = {**_ADMISSION, **complete["admission"]}
    return {**workflow, "source": complete}


_CODE_OWNERS: Mapping[str, Any] = {"commit": "b" * 40, "file": "CODEOWNERS", "digest": None, "paths": [], "problems": []}
_PATH: Mapping[str, Any] = {"line": 1, "section": "", "approvals": 1, "optional": False, "owners": [], "files": []}


def _code_owners(document: Mapping[str, Any]) -> dict[str, Any]:
    """Completed where there is a part of it: a rule's object follows from its section and pattern."""
    given = document.get("code_owners")
    if not isinstance(given, Mapping):
        return {}
    complete = {**_CODE_OWNERS, **given}
    if isinstance(complete["paths"], list):
        complete["paths"] = [_owned_path(path, document["change"]) for path in complete["paths"]]
    return {"code_owners": complete}


def _owned_path(given: Any, change: Mapping[str, Any]) -> Any:
    if not isinstance(given, Mapping):
        return given
    path = {**_PATH, **given}
    section = f"[{path['section']}]" if path["section"] else ""
    repository = change["repository"]
    id = repository.get("id") if isinstance(repository, Mapping) else None
    return {"object": f"path:{change.get('connection')}/{id}/{section}{path.get('pattern')}", **path}


def _over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in more.items():
        here = both.get(key)
        both[key] = _over(here, value) if isinstance(here, Mapping) and isinstance(value, Mapping) else value
    return both


def _connection_of(document: Mapping[str, Any]) -> str:
    change = document.get("change")
    return str(change.get("connection")) if isinstance(change, Mapping) else "work"


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    complete = dict(change)
    connection, repository = str(change["connection"]), change["repository"]
    if isinstance(repository, Mapping):
        complete["repository"] = {"ref": f"repository:{connection}/{repository.get('id')}", **repository}
        complete.setdefault("url", f"https://forge.example/{repository.get('name')}/pulls/{change['number']}")
    complete["author"] = _person(change["author"], connection)
    for key, item in _ITEMS.items():
        if isinstance(change[key], list):
            complete[key] = [item(each, complete) for each in change[key]]
    _end_at_head(change, complete)
    return complete


def _end_at_head(change: Mapping[str, Any], complete: dict[str, Any]) -> None:
    """The newest commit is the head, unless the author has given it another sha."""
    given, head = change["commits"], _head_sha(complete)
    if head is not None and isinstance(given, list) and given and isinstance(given[-1], Mapping) and "sha" not in given[-1]:
        complete["commits"][-1]["sha"] = head


def _person(given: Any, connection: str) -> Any:
    """A login alone, or with some of the rest; the id is the login unless it is given."""
    actor = {"login": given} if isinstance(given, str) else given
    if not isinstance(actor, Mapping) or "login" not in actor:
        return given
    complete = {"id": actor["login"], "kind": "user", **actor}
    return {"ref": f"user:{connection}/{complete['id']}", **complete}


def _actor(given: Any, change: Mapping[str, Any]) -> Any:
    return _person(given, str(change["connection"]))


def _file(given: Any, change: Mapping[str, Any]) -> Any:
    file = {"path": given} if isinstance(given, str) else given
    return {"status": "modified", "previous_path": None, "additions": 1, "deletions": 0, **file} if isinstance(file, Mapping) else file


def _signature(given: Any, change: Mapping[str, Any]) -> Any:
    signature = {"actor": given} if isinstance(given, str) else given
    if not isinstance(signature, Mapping):
        return given
    actor = _actor(signature.get("actor"), change)
    login = actor.get("login", "somebody") if isinstance(actor, Mapping) else "somebody"
    return {"name": login, "email": f"{login}@example.org", **signature, "actor": actor}


def _commit(given: Any, change: Mapping[str, Any]) -> Any:
    if not isinstance(given, Mapping):
        return given
    author = change["author"]
    by = author.get("login") if isinstance(author, Mapping) else None
    sha = hashlib.sha1(str(given.get("message", "")).encode(), usedforsecurity=False).hexdigest()
    commit = {"sha": sha, "message": "Change something", "author": by, "committer": by, "verified": True, "parents": [], **given}
    commit = {"via_web": False, "first_seen_at": None, **commit}
    return {**commit, "author": _signature(commit["author"], change), "committer": _signature(commit["committer"], change)}


def _head_sha(change: Mapping[str, Any]) -> Any:
    head = change["head"]
    return head.get("sha") if isinstance(head, Mapping) else None


def _review(given: Any, change: Mapping[str, Any]) -> Any:
    if not isinstance(given, Mapping):
        return given
    defaults = {"state": "approved", "commit_sha": _head_sha(change), "submitted_at": _MOMENT, "dismissed": False}
    return _with_user({**defaults, **given}, change)


def _check(given: Any, change: Mapping[str, Any]) -> Any:
    check = {"name": given} if isinstance(given, str) else given
    if not isinstance(check, Mapping):
        return given
    conclusion = None if check.get("state") == "pending" else "success"
    return {"state": "completed", "conclusion": conclusion, "source": None, "sha": _head_sha(change), "url": None, **check}


def _comment(given: Any, change: Mapping[str, Any]) -> Any:
    return _with_user({"body": "", "created_at": _MOMENT, "edited": False, **given}, change) if isinstance(given, Mapping) else given


def _thread(given: Any, change: Mapping[str, Any]) -> Any:
    return {"resolved": False, "path": None, **given} if isinstance(given, Mapping) else given


def _with_user(given: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {**given, **({"user": _actor(given["user"], change)} if "user" in given else {})}


_ITEMS: Mapping[str, _Complete] = {
    "files": _file,
    "commits": _commit,
    "reviews": _review,
    "requested_reviewers": _actor,
    "checks": _check,
    "comments": _comment,
    "threads": _thread,
}
