"""A GitLab of our own on loopback, since no real one is to be had: GitLab's REST API and the GraphQL the adapter asks, over
the repositories, changes and people of a forge in memory.

    with running_gitlab() as gitlab:
        gitlab.forge.create_repository("acme/web")           # acts are those of the forge in memory
        forge = GitLabForge(connection="exam", url=gitlab.url, token=gitlab.token("admit"))

What it answers and takes is held to GitLab's own published client (`gitlab_client`): fields and parameters that client does
not know are kept in `gitlab.violations`. How it behaves follows GitLab's documentation and what is recorded of it; nothing
here was compared with a running GitLab.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from providers.vcs.memory import MemoryForge
from tests.servers.gitlab_client import Contract, contract
from tests.servers.gitlab_state import State


class Wrong(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: object, **headers: str) -> None:
        super().__init__(f"{status} {message}")
        self.status, self.message, self.headers = status, message, headers


@dataclass(slots=True)
class Call:
    """One request, taken apart. `parts`: the path's, by name of the route's placeholders."""

    method: str
    target: str
    route: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    login: str


@dataclass(slots=True)
class Page:
    """A list's answer. counted: with its length, as most lists are told."""

    items: list[Any]
    counted: bool = True


Route = Callable[["GitLab", Call], Any]
ROUTES: list[tuple[str, tuple[str, ...], str, Route]] = []


def route(method: str, path: str) -> Callable[[Route], Route]:
    """Answer requests for `/projects/:id/…`."""

    def keep(answer: Route) -> Route:
        ROUTES.append((method, tuple(path.strip("/").split("/")), path, answer))
        return answer

    return keep


@dataclass(slots=True)
class GitLab(State):
    """A running server. tier: `free`, `premium` or `ultimate`. `requests`: all that came, `METHOD target`."""

    forge: MemoryForge
    url: str = ""
    tier: str = "ultimate"
    tokens: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    contract: Contract | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def token(self, login: str, *scopes: str) -> str:
        """A personal access token of that account; scope `api` unless others are named."""
        token = f"glpat-canary-{next(self._count)}-{login}"
        self.tokens[token] = (self.forge.account(login).login, list(scopes) or ["api"])
        return token

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer to one request."""
        with self.lock:
            self.requests.append(f"{method} {target}")
            self.notice()
            try:
                call, answer = self._call(method, target, headers, body)
                said = answer(self, call)
            except Wrong as wrong:
                return wrong.status, wrong.headers, json.dumps({"message": wrong.message}).encode()
            self._check(call, said)
            return self._success(call, said)

    def _call(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Call, Route]:
        path, _, query = target.partition("?")
        login = self._login(headers)
        found = ("/graphql", {}, graphql) if path.startswith("/api/graphql") else self._route(method, path.removeprefix("/api/v4"))
        sent = json.loads(body) if body else {}
        asked: dict[str, str] = {}
        for name, value in parse_qsl(query):  # of a list the values stand side by side
            asked[name] = f"{asked[name]} {value}" if name in asked else value
        return Call(method, target, found[0], found[1], asked, sent, login), found[2]

    def _login(self, headers: Mapping[str, str]) -> str:
        token = headers.get("PRIVATE-TOKEN", "")
        if token not in self.tokens:
            raise Wrong(401, "401 Unauthorized")
        return self.tokens[token][0]

    def _route(self, method: str, path: str) -> tuple[str, dict[str, str], Route]:
        segments = [unquote(part) for part in path.strip("/").split("/")]
        for verb, pattern, name, answer in ROUTES:
            if verb == method and len(pattern) == len(segments):
                pairs = list(zip(pattern, segments, strict=True))
                if all(want.startswith(":") or want == part for want, part in pairs):
                    return f"{verb} {name}", {want[1:]: part for want, part in pairs if want.startswith(":")}, answer
        raise Wrong(404, "404 Not Found")

    def _check(self, call: Call, said: Any) -> None:
        if self.contract is not None and call.route != "/graphql":
            value = said.items[_shown(call)] if isinstance(said, Page) else said
            self.violations += self.contract.violations(call.route, call.query, call.body, value)

    def _success(self, call: Call, said: Any) -> tuple[int, Mapping[str, str], bytes]:
        status = {"POST": 201}.get(call.method, 200) if call.route != "/graphql" else 200
        if said is None:
            return 204, {}, b""
        if not isinstance(said, Page):
            return status, {}, json.dumps(said, default=_plain).encode()
        shown = _shown(call)
        some, size, page = said.items[shown], shown.stop - shown.start, shown.stop // (shown.stop - shown.start)
        more = len(said.items) > shown.stop
        headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": str(page + 1) if more else ""}
        if said.counted:
            headers |= {"X-Total": str(len(said.items)), "X-Total-Pages": str(-(-len(said.items) // size))}
        return status, headers, json.dumps(some, default=_plain).encode()


def _shown(call: Call) -> slice:
    """Which items of a list the call asks for."""
    page, size = int(call.query.get("page", 1)), min(int(call.query.get("per_page", 20)), 100)
    return slice((page - 1) * size, page * size)


def graphql(gitlab: GitLab, call: Call) -> Any:
    """The one query there is: a merge request's commits."""
    variables = call.body["variables"]
    change = gitlab.graphql_change(variables["project"], int(variables["number"]))
    if change is None:
        return {"data": {"project": None}}
    return {"data": {"project": {"mergeRequest": gitlab.graphql_commits(change, variables["after"])}}}


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"


def ticking_forge() -> MemoryForge:
    """A forge in memory whose clock moves a second with each look."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def tick() -> datetime:
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return MemoryForge(connection="exam", webhook_secrets=["its own"], clock=tick)


@contextmanager
def running_gitlab(*, forge: MemoryForge | None = None, tier: str = "ultimate") -> Iterator[GitLab]:
    """A server of its own until the block ends."""
    from tests.servers import gitlab_routes  # noqa: F401 - it fills ROUTES, and needs this module for it

    gitlab = GitLab(forge=forge or ticking_forge(), tier=tier, contract=contract())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, said = gitlab.answer(self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(said))}.items():
                self.send_header(name, value)
            with contextlib.suppress(ConnectionError):  # the client has gone
                self.end_headers()
                self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - as http.server names them

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    gitlab.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield gitlab
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
