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
import functools
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.servers.catalogue import server
from tests.servers.children import die_with_parent, end
from tests.servers.gitea_project import ALL_EVENTS, Project, Pull, User
from tests.servers.need import need
from tests.servers.ports import free_port

__all__ = ["ALL_EVENTS", "Gitea", "Project", "Pull", "User", "running_gitea", "session_gitea"]

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


class Gitea:
    """A running server. `admin` is a site administrator."""

    def __init__(self, url: str, binary: Path, ini: Path) -> None:
        self.url = url
        self._binary, self._ini = binary, ini
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=240)
        self._count = itertools.count(1)
        self._accounts: dict[str, User] = {}
        self._extras: dict[str, User] = {}
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
        user = self._extras.pop(login, None) or self._without_token(login)
        return User(login=login, id=user.id, password=user.password, token=self.token(user, ["all"]))

    def _without_token(self, login: str) -> User:
        password = f"password-of-{login}"
        fields = {"username": login, "email": f"{login}@example.test", "password": password, "must_change_password": False}
        return User(login=login, id=self.call("POST", "/admin/users", json=fields)["id"], password=password, token="")

    def account(self, login: str) -> User:
        """The account with that login, made when first asked for; not for tests that change or delete it."""
        if login not in self._accounts:
            self._accounts[login] = self.user(login)
        return self._accounts[login]

    def token(self, user: User, scopes: list[str]) -> str:
        """A new token of that account with these scopes: `["read:repository", "read:issue"]`, `["all"]`."""
        made = self._asked_for_token(user, scopes)
        assert made.status_code == 201, made.text
        return str(made.json()["sha1"])

    def _asked_for_token(self, user: User, scopes: list[str]) -> httpx.Response:
        wanted = {"name": f"token-{next(self._count)}", "scopes": scopes}
        return self._client.post(f"/users/{user.login}/tokens", auth=(user.login, user.password), json=wanted)

    def delete_account(self, login: str, *, purge: bool = False) -> None:
        """Remove the account; what it wrote becomes a ghost's (unless purged). It may own no repository."""
        self._accounts.pop(login, None)
        self._extras.pop(login, None)
        self.call("DELETE", f"/admin/users/{login}", params={"purge": str(purge).lower()})

    def extra(self, login: str) -> str:
        """The login of an account that never acts, made when first asked for: it needs no token."""
        if login not in self._accounts and login not in self._extras:
            self._extras[login] = self._without_token(login)
        return login

    def fresh_organization(self, owner: User) -> str:
        """The name of a new organisation that nobody has used."""
        return str(self.call("POST", "/orgs", as_=owner, json={"username": f"organization-{next(self._count)}"})["username"])

    def repository(self, owner: User, name: str, *, private: bool = False, organization: str | None = None) -> Project:
        """A new repository `owner/name`, or the organisation's, with a README.md on `main`."""
        made = self.call(
            "POST",
            f"/orgs/{organization}/repos" if organization else "/user/repos",
            as_=owner,
            json={"name": name, "auto_init": True, "default_branch": "main", "private": private, "readme": "Default"},
        )
        return Project(self, owner, name, made["id"], organization)

    def fresh_repository(self, owner: User, *, private: bool = False, organization: str | None = None) -> Project:
        """As `repository`, with a name nobody has used."""
        return self.repository(owner, f"project-{next(self._count)}", private=private, organization=organization)

    def _first_admin(self) -> User:
        password = "password-of-root-admin"
        base = [str(self._binary), "--config", str(self._ini), "admin", "user"]
        create = ["create", "--admin", "--username", "root-admin", "--password", password, "--email", "root@example.test"]
        subprocess.run([*base, *create, "--must-change-password=false"], check=True, capture_output=True)
        admin = User(login="root-admin", id=1, password=password, token="")
        # from the server itself, once it knows whom another process has written: a token that process made was not always taken
        until = time.monotonic() + 60
        while (made := self._asked_for_token(admin, ["all"])).status_code == 401 and time.monotonic() < until:
            time.sleep(0.1)
        assert made.status_code == 201, made.text
        return replace(admin, token=str(made.json()["sha1"]))


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
    """A Gitea of its own until the block ends. `queue`: `channel` (fast, lost when it ends) or `level` (its default).

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
            process = subprocess.Popen([*command, "web"], stdout=output, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url, process, folder)
                gitea = Gitea(url, binary, ini)
                try:
                    yield gitea
                finally:
                    gitea.close()
            finally:
                end(process)


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


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], folder: Path, *, seconds: float = 240) -> None:
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
