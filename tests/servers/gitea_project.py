"""A repository on a Gitea under test, and all that people do in it. Enter by `tests.servers.gitea`."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from tests.servers.gitea import Gitea

ALL_EVENTS = ("pull_request", "status", "push", "create", "delete", "repository")
"""What the gateway's hook subscribes to, and `create` beside it. `pull_request` stands for all eight of its kinds."""


@dataclass(frozen=True, slots=True)
class User:
    """An account. `token` has all scopes."""

    login: str
    id: int
    password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as it was opened."""

    number: int
    url: str


class Project:
    """A repository. Every method acts as its owner unless `by` says otherwise; `organization` is whose it is, if not the owner's."""

    def __init__(self, gitea: Gitea, owner: User, name: str, id: int, organization: str | None = None) -> None:
        self.gitea, self.owner, self.name, self.id = gitea, owner, name, id
        self._space = organization or owner.login

    @property
    def full_name(self) -> str:
        return f"{self._space}/{self.name}"

    def call(self, method: str, path: str, *, by: User | None = None, json: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """`path` below `/repos/owner/name`."""
        return self.gitea.call(method, f"/repos/{self.full_name}{path}", as_=by or self.owner, json=json, params=params)

    # --- content -----------------------------------------------------------------------

    def write(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        branch: str = "main",
        by: User | None = None,
        message: str = "Write",
        renames: Mapping[str, str] | None = None,
    ) -> str:
        """One commit with these files (None deletes; `renames` maps new path → old path); its sha.

        A branch that does not exist is made off `main` first. Fires the hooks a push fires.
        """
        exists = self.branch_sha(branch) is not None
        start = branch if exists else "main"
        known = self._blobs(start)
        changes = [_operation(path, content, known.get(path)) for path, content in files.items()]
        changes += [self._rename(new, old, known[old]) for new, old in (renames or {}).items()]
        body: dict[str, Any] = {"branch": start, "message": message, "files": changes}
        if not exists:
            body["new_branch"] = branch
        return str(self.call("POST", "/contents", by=by, json=body)["commit"]["sha"])

    def _blobs(self, branch: str) -> dict[str, str]:
        """Path → sha of every file on a branch."""
        found: dict[str, str] = {}
        for page in itertools.count(1):
            tree = self.call("GET", f"/git/trees/{quote(branch, safe='')}", params={"recursive": "true", "page": page})
            found |= {entry["path"]: entry["sha"] for entry in tree["tree"] or [] if entry["type"] == "blob"}
            if not tree["truncated"]:
                return found
        raise AssertionError

    def _rename(self, new: str, old: str, sha: str) -> dict[str, Any]:
        content = self.call("GET", f"/git/blobs/{sha}")["content"]
        return {"operation": "update", "path": new, "from_path": old, "sha": sha, "content": content}

    def branch(self, name: str, *, at: str = "main") -> None:
        """A new branch at another branch or a sha."""
        self.call("POST", "/branches", json={"new_branch_name": name, "old_ref_name": at})

    def delete_branch(self, name: str) -> None:
        self.call("DELETE", f"/branches/{name}")

    def force_push(self, branch: str, sha: str) -> None:
        """Put a branch on another commit of this repository."""
        with tempfile.TemporaryDirectory(prefix="admit-clone-") as name:
            self.git("clone", "--quiet", self.clone_url(), ".", folder=Path(name))
            self.git("push", "--quiet", "--force", "origin", f"{sha}:refs/heads/{branch}", folder=Path(name))

    def branch_sha(self, name: str) -> str | None:
        """The branch's tip, None if there is no such branch."""
        answer = self.gitea.send("GET", f"/repos/{self.full_name}/branches/{name}", as_=self.owner)
        return answer.json()["commit"]["id"] if answer.status_code == 200 else None

    def git(self, *arguments: str, folder: Path, by: User | None = None) -> str:
        """Run git in `folder`, with credentials for this server: clone `project.clone_url(user)` there first."""
        user = by or self.owner
        identity = {
            "GIT_AUTHOR_NAME": user.login,
            "GIT_AUTHOR_EMAIL": f"{user.login}@example.test",
            "GIT_COMMITTER_NAME": user.login,
            "GIT_COMMITTER_EMAIL": f"{user.login}@example.test",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }
        done = subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **identity}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def clone_url(self, by: User | None = None) -> str:
        user = by or self.owner
        return self.gitea.url.replace("://", f"://{user.login}:{user.token}@", 1) + f"/{self.full_name}.git"

    def push_many(self, branch: str, commits: int) -> str:
        """That many empty commits on a branch off `main`, in one push; the tip's sha."""
        with tempfile.TemporaryDirectory(prefix="admit-clone-") as name:
            folder = Path(name)
            self.git("clone", "--quiet", self.clone_url(), ".", folder=folder)
            self.git("checkout", "--quiet", "-B", branch, f"origin/{branch if self.branch_sha(branch) else 'main'}", folder=folder)
            for number in range(commits):
                self.git("commit", "--quiet", "--allow-empty", "--message", f"commit {number}", folder=folder)
            self.git("push", "--quiet", "origin", branch, folder=folder)
            return self.git("rev-parse", "HEAD", folder=folder)

    # --- people --------------------------------------------------------------------------

    def collaborator(self, user: User, permission: str = "write") -> None:
        """`read`, `write` or `admin`."""
        self.call("PUT", f"/collaborators/{user.login}", json={"permission": permission})

    def fork(self, by: User, *, name: str | None = None) -> Project:
        """A fork of this repository owned by `by`."""
        made = self.call("POST", "/forks", by=by, json={"name": name or self.name})
        return Project(self.gitea, by, made["name"], made["id"])

    def delete(self) -> None:
        self.call("DELETE", "")

    # --- pull requests ---------------------------------------------------------------------

    def open_pull(self, head: str, *, base: str = "main", title: str = "A change", body: str = "", by: User | None = None) -> Pull:
        """`head` is a branch, or `login:branch` of a fork."""
        made = self.call("POST", "/pulls", by=by, json={"head": head, "base": base, "title": title, "body": body})
        return Pull(number=made["number"], url=made["html_url"])

    def pull(self, pull: Pull) -> Any:
        """The pull request's document."""
        return self.call("GET", f"/pulls/{pull.number}")

    def edit(self, pull: Pull, *, by: User | None = None, **fields: Any) -> Any:
        """`title`, `body`, `base` (retarget), `state` (`closed`, `open`)."""
        return self.call("PATCH", f"/pulls/{pull.number}", by=by, json=fields)

    def review(self, pull: Pull, *, by: User, event: str = "APPROVED", body: str = "", commit: str | None = None, **more: Any) -> int:
        """`APPROVED`, `REQUEST_CHANGES` or `COMMENT`; the review's id. `comments=[{"path", "body", "new_position"}]` are threads."""
        if event != "APPROVED" and not body:
            body = "please look"
        fields = {"event": event, "body": body, **({"commit_id": commit} if commit else {}), **more}
        return int(self.call("POST", f"/pulls/{pull.number}/reviews", by=by, json=fields)["id"])

    def dismiss(self, pull: Pull, review: int, *, message: str = "dismissed") -> None:
        """Dismiss a review. Gitea sends no webhook for it."""
        self.call("POST", f"/pulls/{pull.number}/reviews/{review}/dismissals", json={"message": message})

    def request_review(self, pull: Pull, reviewer: User) -> None:
        self.call("POST", f"/pulls/{pull.number}/requested_reviewers", json={"reviewers": [reviewer.login]})

    def comment(self, pull: Pull, body: str, *, by: User | None = None) -> int:
        return int(self.call("POST", f"/issues/{pull.number}/comments", by=by, json={"body": body})["id"])

    def label(self, pull: Pull, *names: str) -> None:
        """Replace the labels by these; unknown ones are made."""
        known = {label["name"]: label["id"] for label in self.call("GET", "/labels", params={"limit": 50})}
        for name in names:
            if name not in known:
                known[name] = self.call("POST", "/labels", json={"name": name, "color": "#00aabb"})["id"]
        self.call("PUT", f"/issues/{pull.number}/labels", json={"labels": [known[name] for name in names]})

    def status(self, sha: str, context: str, state: str, *, by: User | None = None) -> None:
        self.call("POST", f"/statuses/{sha}", by=by, json={"context": context, "state": state, "description": context})

    def statuses(self, sha: str) -> dict[str, Any]:
        """The newest status of each context on a commit, by context (of the first 50)."""
        found = self.call("GET", f"/commits/{sha}/status", params={"limit": 50})["statuses"] or []
        return {status["context"]: status for status in found}

    def merge(self, pull: Pull, *, by: User | None = None, **fields: Any) -> httpx.Response:
        """Try to merge as `by`, with Gitea's own guards; the answer, whatever it is."""
        path = f"/repos/{self.full_name}/pulls/{pull.number}/merge"
        return self.gitea.send("POST", path, as_=by or self.owner, json={"Do": "merge", **fields})

    def wait_mergeable(self, pull: Pull, *, seconds: float = 240) -> None:
        """Until Gitea has checked for conflicts and found none."""
        until = time.monotonic() + seconds
        while not self.pull(pull)["mergeable"]:
            assert time.monotonic() < until, f"pull request {pull.number} was not mergeable within {seconds} s"
            time.sleep(0.1)

    # --- the gate --------------------------------------------------------------------------

    def hook(self, url: str, *, secret: str, events: tuple[str, ...] = ALL_EVENTS, content_type: str = "json") -> int:
        """A webhook of this repository; its id."""
        config = {"url": url, "content_type": content_type, "secret": secret}
        made = self.call("POST", "/hooks", json={"type": "gitea", "config": config, "events": list(events), "active": True})
        return int(made["id"])

    def protect(self, branch: str, **rule: Any) -> Any:
        """A branch protection rule with these fields of Gitea's API."""
        return self.call("POST", "/branch_protections", json={"rule_name": branch, **rule})


def _operation(path: str, content: str | bytes | None, known: str | None) -> dict[str, Any]:
    """One file of a commit; `known` is its blob now."""
    sha = {"sha": known} if known is not None else {}
    if content is None:
        return {"operation": "delete", "path": path, **sha}
    raw = content.encode() if isinstance(content, str) else content
    return {"operation": "update" if sha else "create", "path": path, "content": base64.b64encode(raw).decode(), **sha}
