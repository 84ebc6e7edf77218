"""A real OpenFGA on loopback with its store in memory (or on PostgreSQL), asked over plain HTTP.

    with running_openfga() as openfga:                  # about 1 s
        store = openfga.store(model)                    # model: OpenFGA's JSON form
        store.write([{"user": "user:ana", "relation": "owner", "object": "repository:1"}])
        store.check("user:ana", "owner", "repository:1")            # → True, or a Refusal

`session_openfga()` is one server for the whole test session; stores are separate worlds on it.
A refusal is an answer here, because tests ask for it; anything else that is not a success raises.
Reference of the calls: https://openfga.dev/api/service.
"""

from __future__ import annotations

import atexit
import functools
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers.children import die_with_parent, end
from tests.servers.need import need
from tests.servers.ports import free_port

Tuple = Mapping[str, Any]
WRITTEN_AT_ONCE = 100  # the server's maxTuplesPerWrite
_EXPERIMENTS = "inline_expressions"  # `$expression` conditions are behind this flag


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server would not answer: its code, such as `validation_error`, and its message."""

    code: str
    message: str


class Store:
    """One store and its newest model. What it is asked, it answers from the stored tuples without a cache."""

    def __init__(self, client: httpx.Client, id: str) -> None:
        self._client = client
        self.id = id
        self.model_id = ""

    def write_model(self, model: Mapping[str, Any]) -> str:
        """Store a model and use it from now on; its id."""
        self.model_id = str(self._call("authorization-models", model)["authorization_model_id"])
        return self.model_id

    def try_model(self, model: Mapping[str, Any]) -> Refusal | None:
        """Would the server take this model? It is used from now on if so."""
        answer = self._answer("authorization-models", model)
        if isinstance(answer, Refusal):
            return answer
        self.model_id = answer["authorization_model_id"]
        return None

    def write(self, tuples: Sequence[Tuple], *, delete: bool = False) -> None:
        """Write (or delete) tuples the store does not have (or has)."""
        for start in range(0, len(tuples), WRITTEN_AT_ONCE):
            keys = {"tuple_keys": list(tuples[start : start + WRITTEN_AT_ONCE])}
            self._call("write", {"deletes" if delete else "writes": keys, "authorization_model_id": self.model_id})

    def check(self, user: str, relation: str, object: str, **along: Any) -> bool | Refusal:
        answer = self._answer("check", {"tuple_key": {"user": user, "relation": relation, "object": object}, **self._asked(along)})
        return answer if isinstance(answer, Refusal) else bool(answer.get("allowed", False))

    def objects(self, user: str, relation: str, type: str, **along: Any) -> list[str] | Refusal:
        answer = self._answer("list-objects", {"user": user, "relation": relation, "type": type, **self._asked(along)})
        return answer if isinstance(answer, Refusal) else sorted(answer["objects"])

    def users(self, object: str, relation: str, type: str, userset: str | None = None, **along: Any) -> list[str] | Refusal:
        kind, _, id = object.partition(":")
        filters = [{"type": type, **({"relation": userset} if userset else {})}]
        asked = self._asked(along)
        if "contextual_tuples" in asked:
            asked["contextual_tuples"] = asked["contextual_tuples"]["tuple_keys"]
        answer = self._answer("list-users", {"object": {"type": kind, "id": id}, "relation": relation, "user_filters": filters, **asked})
        return answer if isinstance(answer, Refusal) else sorted(_user(one) for one in answer["users"])

    def _asked(self, along: Mapping[str, Any]) -> dict[str, Any]:
        asked: dict[str, Any] = {"authorization_model_id": self.model_id, "consistency": "HIGHER_CONSISTENCY"}
        if along.get("context"):
            asked["context"] = along["context"]
        if along.get("contextual"):
            asked["contextual_tuples"] = {"tuple_keys": list(along["contextual"])}
        return asked

    def _call(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self._answer(path, body)
        assert not isinstance(answer, Refusal), f"{path}: {answer}"
        return answer

    def _answer(self, path: str, body: Mapping[str, Any]) -> Any:
        response = self._client.post(f"/stores/{self.id}/{path}", json=body)
        if response.is_success:
            return response.json()
        document = response.json()
        return Refusal(str(document["code"]), str(document["message"]))


def _user(found: Mapping[str, Any]) -> str:
    match found:
        case {"object": {"type": type, "id": id}}:
            return f"{type}:{id}"
        case {"userset": {"type": type, "id": id, "relation": relation}}:
            return f"{type}:{id}#{relation}"
        case {"wildcard": {"type": type}}:
            return f"{type}:*"
    raise AssertionError(f"not a user: {found}")


class OpenFga:
    """A running server."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._process = process
        self._client = httpx.Client(base_url=url, timeout=240)

    def kill(self) -> None:
        """End it at once, as a crash does; what it had in memory is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._client.close()

    def store(self, model: Mapping[str, Any] | None = None) -> Store:
        """A new store, with this model if one is given."""
        response = self._client.post("/stores", json={"name": "under test"})
        response.raise_for_status()
        store = Store(self._client, response.json()["id"])
        if model is not None:
            store.write_model(model)
        return store


@functools.cache
def _session_openfga() -> OpenFga:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_openfga())


def session_openfga() -> OpenFga:
    """One server for all tests of the session."""
    need("openfga")
    return _session_openfga()


@contextmanager
def running_openfga(*options: str, postgresql: str | None = None) -> Iterator[OpenFga]:
    """An OpenFGA of its own until the block ends. options: more of `openfga run --help`.

    postgresql: URL of an empty database to keep its stores in; without it they are in memory.
    """
    binary = need("openfga")
    port, grpc_port = free_port(), free_port()
    command = [str(binary), "run", *_datastore(binary, postgresql), "--log-level", "error"]
    command += ["--http-addr", f"127.0.0.1:{port}", "--grpc-addr", f"127.0.0.1:{grpc_port}"]
    command += ["--playground-enabled=false", "--metrics-enabled=false", "--profiler-enabled=false", "--experimentals", _EXPERIMENTS]
    command += options
    with tempfile.TemporaryDirectory(prefix="admit-openfga-") as folder, (Path(folder) / "output.txt").open("w+b") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, Path(output.name))
            openfga = OpenFga(url, process)
            try:
                yield openfga
            finally:
                openfga.close()
        finally:
            end(process)


def _datastore(binary: Path, postgresql: str | None) -> list[str]:
    if postgresql is None:
        return ["--datastore-engine", "memory"]
    datastore = ["--datastore-engine", "postgres", "--datastore-uri", f"{postgresql}?sslmode=disable"]
    subprocess.run([str(binary), "migrate", *datastore], check=True, capture_output=True)
    return datastore


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], output: Path, *, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"openfga ended: {output.read_text()[-2000:]}"
        try:
            if httpx.get(f"{url}/healthz", timeout=5).json().get("status") == "SERVING":
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, f"openfga was not ready within {seconds} s"
        time.sleep(0.05)
