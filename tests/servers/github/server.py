"""The server: HTTP on loopback, who asks, pages, conditional requests, and a check of everything that comes and goes.

github = session_github()
github.forge.push(…)                        # people act on the forge in memory
GithubForge(url=github.url, credentials=AccessToken(token=github.token("admit")), …)
assert github.violations == []              # what did not fit GitHub's own description
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers.errors import NotFound
from providers.vcs.memory import MemoryForge
from tests.servers.github import graphql, rest_changes, rest_commits, rest_people, rest_setup
from tests.servers.github.openapi import Operation, description, template_pattern
from tests.servers.github.rest import OPERATIONS, Asked, Said, identified_app, refused
from tests.servers.github.state import GithubState, Identity, StoredApp

Json = Any
API, GRAPHQL = "/api/v3", "/api/graphql"
_AS_APP = ("/app", "/app/installations", "/app/hook")
assert all((rest_changes, rest_commits, rest_people, rest_setup))  # importing them makes their operations served
_PATTERNS = {operation: template_pattern(operation.template) for operation in OPERATIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """As it came: `target` is path and query; `changed` is False for one that was answered with 304."""

    method: str
    target: str
    status: int


class GithubServer:
    """One GitHub. `requests` and `violations` grow until they are cleared."""

    def __init__(self, *, edition: str = "api.github.com", clock: Callable[[], datetime] | None = None) -> None:
        self.forge = MemoryForge(connection="github", url="https://github.test", clock=clock or _Clock())
        self.state = GithubState(forge=self.forge, edition=edition)
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self._description = description(edition)
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        return self.state.url

    def token(self, login: str, *, may_write: bool = True, scopes: str | None = None) -> str:
        """A token of that account."""
        token = f"github_pat_{uuid.uuid4().hex}"
        self.forge.account(login)
        self.state.tokens[token] = Identity(login=login, may_write=may_write, scopes=scopes)
        return token

    def app(self, slug: str, *, permissions: Mapping[str, str], events: list[str]) -> tuple[StoredApp, str]:
        """An App with one installation, and its private key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        app = StoredApp(id=self.state.next_id(), slug=slug, public_key=public.decode(), permissions=dict(permissions), events=list(events))
        self.state.apps[app.id] = app
        self.forge.account(f"{slug}[bot]")
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return app, private.decode()

    # --- answering --------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request, checked on its way in and out."""
        with self._lock:
            said, operation = self._said(method, target, headers, body)
            answer = self._written(method, target, headers, said, operation)
            self.requests.append(Request(method=method, target=target, status=answer.status))
            return answer

    def _said(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Said, Operation | None]:
        parts = urlsplit(target)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        document = json.loads(body) if body else None
        if parts.path == GRAPHQL:
            return self._graphql(token, document), None
        path = unquote(parts.path.removeprefix(API))
        operation, named = self._operation(method, path)
        if operation is None or not self._description.has(operation):
            if operation is None:
                self.violations.append(f"{method} {path} is not served")
            return refused(404, "Not Found"), None
        query = dict(parse_qsl(parts.query))
        self.violations += self._description.request_violations(operation, query, document)
        app = identified_app(self.state, token) if scheme.lower() == "bearer" and path.startswith(_AS_APP) else None
        identity = self._identity(token)
        if (path.startswith(_AS_APP) and app is None) or (not path.startswith(_AS_APP) and identity is None):
            return refused(401, "Bad credentials"), operation
        asked = Asked(identity=identity or Identity(login=app.slug if app else ""), app=app, path=named, query=query, body=document)
        try:
            return OPERATIONS[operation](self.state, asked), operation
        except NotFound:
            return refused(404, "Not Found"), operation

    def _operation(self, method: str, path: str) -> tuple[Operation | None, Mapping[str, str]]:
        """The most literal of those that fit."""
        fitting = [(o, m) for o, p in _PATTERNS.items() if o.method == method and (m := p.fullmatch(path)) is not None]
        if not fitting:
            return None, {}
        operation, match = min(fitting, key=lambda one: one[0].template.count("{") - one[0].template.count("/") / 100)
        return operation, match.groupdict()

    def _identity(self, token: str) -> Identity | None:
        identity = self.state.tokens.get(token)
        return identity if identity is not None and (identity.ends is None or identity.ends > time.time()) else None

    def _graphql(self, token: str, document: Json) -> Said:
        if self._identity(token) is None:
            return refused(401, "Bad credentials")
        answer, wrong = graphql.execute(self.state, document["query"], document["variables"])
        self.violations += wrong
        return Said(body=answer)

    def _written(self, method: str, target: str, headers: Mapping[str, str], said: Said, operation: Operation | None) -> Answer:
        body, links = self._page(target, said)
        if operation is not None:
            body = self._description.filled(operation, said.status, body)
            self.violations += self._description.answer_violations(operation, said.status, body)
        content = json.dumps(body).encode() if body is not None else b""
        found = {"content-type": "application/json; charset=utf-8", "x-ratelimit-remaining": "4987", "x-ratelimit-limit": "5000", **links}
        identity = self._identity(headers.get("authorization", "").partition(" ")[2])
        if identity is not None and identity.scopes is not None:
            found["x-oauth-scopes"] = identity.scopes
        if method == "GET" and said.status == 200:
            found["etag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
            if headers.get("if-none-match") == found["etag"]:
                return Answer(status=304, headers=found, body=b"")
        return Answer(status=said.status, headers={**found, **said.headers}, body=content)

    def _page(self, target: str, said: Said) -> tuple[Json, dict[str, str]]:
        if said.items is None:
            return said.body, {}
        query = dict(parse_qsl(urlsplit(target).query))
        page, size = int(query.get("page", 1)), min(int(query.get("per_page", 30)), 100)
        chosen = list(said.items[(page - 1) * size : page * size])
        links = {}
        if page * size < len(said.items):
            path = urlsplit(target).path
            links["link"] = f'<{self.url}{path}?per_page={size}&page={page + 1}>; rel="next", <{self.url}{path}>; rel="last"'
        return ({"total_count": len(said.items), said.key: chosen} if said.key else chosen), links


class _Clock:
    """A second later at each look, since GitHub tells no less."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


@contextmanager
def running_github(*, edition: str = "api.github.com", clock: Callable[[], datetime] | None = None) -> Iterator[GithubServer]:
    """A GitHub of its own until the block ends."""
    github = GithubServer(edition=edition, clock=clock)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = github.answer(self.command, self.path, headers, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def __getattr__(self, name: str) -> Any:
            """Every method alike."""
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        disable_nagle_algorithm = True

    with Server(("127.0.0.1", 0), Handler) as server:
        github.state.url = github.forge.world.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield github
        finally:
            server.shutdown()
            thread.join()


@functools.cache
def session_github() -> GithubServer:
    """One server for all tests of the session; repositories are separate worlds on it."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_github())
