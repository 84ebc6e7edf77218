"""A real Gitea on loopback, and plain ways to make users, repositories, hooks, protections and pull requests on it.

    with running_gitea() as gitea:                      # about 2 s; sqlite, everything in a temporary folder
        ana = gitea.user("ana")                         # an account with a token of all scopes
        project = gitea.repository(ana, "web")          # ana/web, one commit (README.md) on main
        project.collaborator(gitea.user("bob"))         # a writer
        project.write({"src/a.py": "x = 1\\n"}, branch="feature")          # one commit; branches off main if new
        pull = project.open_pull("feature", title="Add a")                # → Pull(number, url)
        project.review(pull, by=bob, event="APPROVED")
        project.hook("http://127.0.0.1:9/", secret="s")
        project.protect("main", status_check_contexts=["admit/main"], enable_status_check=True)

`session_gitea()` is one server for the whole test session, for tests that keep to repositories of their own:

        gitea = session_gitea()
        project = gitea.fresh_repository(gitea.account("ana"))   # accounts are made once, names of repositories are new

Everything is synchronous and raises on any answer that is not a success, so that a test's own setup cannot fail quietly.
`gitea.call(method, path, as_=user, json=…)` is the door to the rest of the API.
"""

from __future__ import annotations

import atexit
import base64
import ctypes
import functools
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.servers.catalogue import server
from tests.servers.database_server import free_port
from tests.servers.need import need

ALL_EVENTS = ("pull_request", "status", "push", "create", "delete", "repository")
"""What the gateway's hook subscribes to, and `create` beside it. `pull_request` stands for all eight of its kinds."""

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

_INI = """\
APP_NAME = Gitea under test
RUN_MODE = prod
WORK_PATH = {folder}
{run_user}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
INTERNAL_TOKEN = {internal_token}
PASSWORD_HASH_ALGO = pbkdf2$1000$50
[oauth2]
JWT_SECRET = {jwt_secret}
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[queue]
TYPE = {queue}
[cron]
ENABLED = false
[actions]
ENABLED = false
[indexer]
REPO_INDEXER_ENABLED = false
[log]
MODE = file
ROOT_PATH = {folder}/log
LEVEL = Warn
{extra}
"""


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


class Gitea:
    """A running server. `admin` is a site administrator."""

    def __init__(self, url: str, binary: Path, ini: Path) -> None:
        self.url = url
        self._binary, self._ini = binary, ini
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=60)
        self._count = itertools.count(1)
        self._accounts: dict[str, User] = {}
        self.admin = self._first_admin()

    @property
    def admin_token(self) -> str:
        return self.admin.token

    def close(self) -> None:
        self._client.close()

    # --- the whole API ---------------------------------------------------------------

    def send(self, method: str, path: str, *, as_: User | None = None, **options: Any) -> httpx.Response:
        """One request as `as_` (None: the administrator), whatever its answer."""
        user = as_ or self.admin
        return self._client.request(method, path, headers={"Authorization": f"token {user.token}"}, **options)

    def call(self, method: str, path: str, *, as_: User | None = None, json: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """One request that has to succeed; its JSON, or None."""
        response = self.send(method, path, as_=as_, json=json, params=params)
        if not response.is_success:
            raise AssertionError(f"{method} {path} as {(as_ or self.admin).login}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    # --- accounts ----------------------------------------------------------------------

    def user(self, login: str) -> User:
        """A new account with a token of all scopes."""
        password = f"password-of-{login}"
        made = self.call(
            "POST",
            "/admin/users",
            json={"username": login, "email": f"{login}@example.test", "password": password, "must_change_password": False},
        )
        user = User(login=login, id=made["id"], password=password, token="")
        return User(login=login, id=made["id"], password=password, token=self.token(user, ["all"]))

    def account(self, login: str) -> User:
        """The account with that login, made when first asked for; not for tests that change or delete it."""
        if login not in self._accounts:
            self._accounts[login] = self.user(login)
        return self._accounts[login]

    def token(self, user: User, scopes: list[str]) -> str:
        """A new token of that account with these scopes: `["read:repository", "read:issue"]`, `["all"]`."""
        made = self._client.post(
            f"/users/{user.login}/tokens",
            auth=(user.login, user.password),
            json={"name": f"token-{next(self._count)}", "scopes": scopes},
        )
        assert made.status_code == 201, made.text
        return str(made.json()["sha1"])

    def delete_account(self, login: str, *, purge: bool = False) -> None:
        """Remove the account; what it wrote becomes a ghost's (unless purged). It may own no repository."""
        self._accounts.pop(login, None)
        self.call("DELETE", f"/admin/users/{login}", params={"purge": str(purge).lower()})

    def repository(self, owner: User, name: str, *, private: bool = False) -> Project:
        """A new repository `owner/name` with a README.md on `main`."""
        made = self.call(
            "POST",
            "/user/repos",
            as_=owner,
            json={"name": name, "auto_init": True, "default_branch": "main", "private": private, "readme": "Default"},
        )
        return Project(self, owner, name, made["id"])

    def fresh_repository(self, owner: User, *, private: bool = False) -> Project:
        """As `repository`, with a name nobody has used."""
        return self.repository(owner, f"project-{next(self._count)}", private=private)

    def _first_admin(self) -> User:
        password = "password-of-root-admin"
        base = [str(self._binary), "--config", str(self._ini), "admin", "user"]
        create = ["create", "--admin", "--username", "root-admin", "--password", password, "--email", "root@example.test"]
        subprocess.run([*base, *create, "--must-change-password=false"], check=True, capture_output=True)
        made = [*base, "generate-access-token", "-u", "root-admin", "-t", "first", "--scopes", "all", "--raw"]
        token = _last_line(subprocess.run(made, check=True, capture_output=True, text=True).stdout)
        return User(login="root-admin", id=1, password=password, token=token)


class Project:
    """A repository. Every method acts as its owner unless `by` says otherwise."""

    def __init__(self, gitea: Gitea, owner: User, name: str, id: int) -> None:
        self.gitea, self.owner, self.name, self.id = gitea, owner, name, id

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

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

    def wait_mergeable(self, pull: Pull, *, seconds: float = 30) -> None:
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


@functools.cache
def _session_gitea() -> Gitea:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_gitea())


def session_gitea() -> Gitea:
    """One server for all tests of this session. Skips loudly where there is no Gitea."""
    need("gitea")
    return _session_gitea()


@contextmanager
def running_gitea(*, queue: str = "channel", extra: str = "") -> Iterator[Gitea]:
    """A Gitea of its own until the block ends. `queue`: `channel` (fast) or `persistable-channel` (its default).

    extra: more lines of its ini file.
    """
    binary = need("gitea")
    with tempfile.TemporaryDirectory(prefix="admit-gitea-") as name:
        folder = Path(name)
        port = free_port()
        ini = folder / "app.ini"
        ini.write_text(_configuration(binary, folder, port, queue, extra))
        command = [str(binary), "--config", str(ini)]
        subprocess.run([*command, "migrate"], check=True, capture_output=True)
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen([*command, "web"], stdout=output, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url, process, folder)
                gitea = Gitea(url, binary, ini)
                try:
                    yield gitea
                finally:
                    gitea.close()
            finally:
                _stop(process)


def _configuration(binary: Path, folder: Path, port: int, queue: str, extra: str) -> str:
    secrets = {
        kind: _last_line(subprocess.run([str(binary), "generate", "secret", kind], check=True, capture_output=True, text=True).stdout)
        for kind in ("INTERNAL_TOKEN", "JWT_SECRET")
    }
    run_user = "RUN_USER = root\nI_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true" if os.geteuid() == 0 else ""
    return _INI.format(
        folder=folder,
        port=port,
        static=_static_root(),
        run_user=run_user,
        queue=queue,
        extra=extra,
        internal_token=secrets["INTERNAL_TOKEN"],
        jwt_secret=secrets["JWT_SECRET"],
    )


def _last_line(output: str) -> str:
    """Gitea's answer stands below whatever it warns about."""
    return output.strip().splitlines()[-1]


def _static_root() -> str:
    """Templates and translations come from the module's own folder."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"]
    found = subprocess.run(command, cwd=server("gitea").build_in, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], folder: Path, *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"gitea ended: {(folder / 'output.txt').read_text()[-2000:]}"
        try:
            if httpx.get(f"{url}/api/healthz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, f"gitea was not ready within {seconds} s"
        time.sleep(0.05)


def _die_with_parent() -> None:
    """In the child, before it becomes the server: Linux ends it when the tests are killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
