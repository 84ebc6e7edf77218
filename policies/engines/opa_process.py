"""One `opa run --server` with one bundle in it, on a socket only we can reach: started, asked, watched, killed.

https://www.openpolicyagent.org/docs/rest-api
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import httpx

from policies.engines.memory import resident
from policies.engines.messages import located, problems_in
from policies.engines.opa_command import Folder, opa_environment, unavailable
from policies.errors import BundleRefused, EngineCrashed, EngineTimedOut, EngineUnavailable
from policies.model import Json

Listen = Literal["unix", "tcp"]

_ENTRIES_HELD = 256
_UNTIMED = httpx.Timeout(None)
_WATCH_EVERY = 0.05
_AUTHORIZATION = """\
package system.authz

default allow := false

allow if input.identity == "%s"
"""


class Interrupted(Exception):
    """This server was killed for the sake of another evaluation."""


class OpaProcess:
    """A supervised server.

    unix: the socket lies in a folder of mode 0700. tcp: loopback, and every request needs a token of
    this process's own, since any user of the machine reaches the port.
    """

    def __init__(self, binary: Path, folder: Folder, *, listen: Listen, memory_limit: int) -> None:
        self._binary, self._folder, self._listen, self._memory_limit = binary, folder, listen, memory_limit
        self._home = Path(tempfile.mkdtemp(prefix="admit-opa-"))
        self._log = (self._home / "log").open("w+b")
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.AsyncClient | None = None
        self._entries: OrderedDict[str, str] = OrderedDict()
        self._entered = asyncio.Lock()
        self._asking: OrderedDict[asyncio.Future[httpx.Response], None] = OrderedDict()
        self._blamed: asyncio.Future[httpx.Response] | None = None
        self._numbers = 0
        self._killed = False

    @property
    def alive(self) -> bool:
        """It can still be asked."""
        return self._process is not None and self._process.poll() is None and not self._killed and self._blamed is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, bundle: str, deadline: float) -> None:
        """Ready when it answers. Raises BundleRefused with what OPA says of the bundle, EngineTimedOut, EngineUnavailable."""
        address, options, self._client = self._listening()
        command = (
            *_ends_with_us(),
            str(self._binary),
            "run",
            "--server",
            "--addr",
            address,
            "--skip-version-check",
            "--log-level",
            "error",
        )
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603  starting takes a millisecond; our own binary
                (*command, "--log-format", "text", "--shutdown-grace-period", "0", *options, *self._folder.names),
                cwd=self._folder.path,
                env=opa_environment(self._memory_limit),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
            )
        except OSError as problem:
            raise unavailable(self._binary, problem) from problem
        try:
            async with asyncio.timeout(deadline):
                await self._up(bundle)
        except TimeoutError:
            raise EngineTimedOut(f"bundle '{bundle}': compiling took longer than {deadline:g} s and was stopped") from None

    async def ask(self, query: str, given: bytes, *, deadline: float) -> list[Json] | str:
        """The value of `answer` in this query, or OPA's words why there is none.

        Raises EngineTimedOut, EngineCrashed, Interrupted.
        """
        refused = await self._enter(query)
        if refused is not None:
            return refused
        path = f"/v1/data/admit/{self._entries[query]}/answer"
        answer = await self._request("POST", path, b'{"input":%b}' % given, deadline, asks=True)
        body = answer.json()
        if answer.is_success:
            result: list[Json] = body["result"]
            return result
        return _words(body)

    def kill(self) -> None:
        """At once."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    async def close(self) -> None:
        """Stop it and remove its files."""
        self.kill()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
        if self._client is not None:
            await self._client.aclose()
        self._log.close()
        self._folder.remove()
        shutil.rmtree(self._home, ignore_errors=True)

    def _listening(self) -> tuple[str, Sequence[str], httpx.AsyncClient]:
        """Where it shall listen, with which options, and a client to match. Deadlines are kept by `_request`."""
        if self._listen == "unix":
            path = str(self._home / "opa.sock")
            transport = httpx.AsyncHTTPTransport(uds=path)
            return f"unix://{path}", (), httpx.AsyncClient(transport=transport, base_url="http://opa", timeout=_UNTIMED, trust_env=False)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        token = secrets.token_urlsafe(32)
        (self._home / "authz.rego").write_text(_AUTHORIZATION % token)
        options = ("--authentication", "token", "--authorization", "basic", str(self._home / "authz.rego"))
        headers = {"Authorization": f"Bearer {token}"}
        return address, options, httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=_UNTIMED, trust_env=False)

    async def _up(self, bundle: str) -> None:
        assert self._process is not None
        assert self._client is not None
        while self._process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if (await self._client.get("/health")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.01)
        said = self._complaint()
        if "initialization error: " in said or "load error" in said:
            raise BundleRefused(bundle, problems_in(said.partition("initialization error: ")[2] or said))
        raise EngineUnavailable(f"`opa run` ended with {self._process.returncode}: {said}")

    async def _enter(self, query: str) -> str | None:
        """Put the query in as a module, once. OPA's words where it cannot be compiled."""
        async with self._entered:
            if query in self._entries:
                self._entries.move_to_end(query)
                return None
            self._numbers += 1
            name = f"entry_{self._numbers}"
            module = f"package admit.{name}\n\n{query}\n"
            answer = await self._request("PUT", f"/v1/policies/admit/{name}.rego", module.encode(), 30.0)
            if not answer.is_success:
                return _words(answer.json())
            self._entries[query] = name
            if len(self._entries) > _ENTRIES_HELD:
                _, old = self._entries.popitem(last=False)
                await self._request("DELETE", f"/v1/policies/admit/{old}.rego", b"", 30.0)
            return None

    async def _request(self, method: str, path: str, body: bytes, deadline: float, *, asks: bool = False) -> httpx.Response:
        """One request, watched: over its deadline or over memory the whole process is killed, since hanging up does not stop a builtin.

        Where the process dies by itself, the evaluation it had longest is to blame; the others are only interrupted.
        """
        assert self._client is not None
        parameters = {"strict-builtin-errors": "true"} if asks else {}
        request = asyncio.ensure_future(self._client.request(method, path, content=body, params=parameters))
        if asks:
            self._asking[request] = None
        try:
            await self._watched(request, deadline)
            return request.result()
        except httpx.TransportError as problem:
            if self._blamed is None and not self._killed:
                self._blamed = next(iter(self._asking), request)
            if self._blamed is not request:
                raise Interrupted from problem
            raise EngineCrashed(f"the server died: {self._complaint() or problem!r}") from problem
        finally:
            self._asking.pop(request, None)
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

    async def _watched(self, request: asyncio.Future[httpx.Response], deadline: float) -> None:
        over = time.monotonic() + deadline
        while not (await asyncio.wait({request}, timeout=_WATCH_EVERY))[0]:
            if time.monotonic() > over:
                self.kill()
                raise EngineTimedOut(f"evaluating took longer than {deadline:g} s and was stopped")
            if resident(self.pid) > self._memory_limit:
                self.kill()
                raise EngineCrashed(f"evaluating used more than {self._memory_limit >> 20} MB of memory and was stopped")

    def _complaint(self) -> str:
        if self._log.closed:
            return "stopped"
        self._log.seek(0)
        return self._log.read(1 << 16).decode(errors="replace").strip()


def _ends_with_us() -> tuple[str, ...]:
    """On Linux the kernel ends the server when its parent dies without a word (`setpriv` is part of util-linux)."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv is not None else ()


def _words(body: Mapping[str, Json]) -> str:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return located(errors[0])
    return str(body.get("message", body))
