"""A gateway that is told to stop, as a system does that takes it down or moves it."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.builders import a_change_document
from tests.e2e.process import GatewayProcess, eventually, write_bundle

RULES = 'package merge.x\n\ndeny contains "no label" if count(input.change.labels) == 0\n'


@pytest.fixture
def gateway(tmp_path):
    files = {"bundle.yaml": "name: acme\npolicies:\n  - package: merge.x\n    match: {action: merge}\n", "x.rego": RULES}
    with GatewayProcess(tmp_path, bundles=[str(write_bundle(tmp_path / "acme", files))]) as gateway:
        yield gateway


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_takes_down_all_it_started(gateway, how):
    """It ends well and says so; no engine goes on, and the database is one file again, to be copied as it is."""
    answer = gateway.post("/v1/admissions", json={"version": 1, "change": a_change_document(labels=[])})
    assert answer.json()["outcome"] == "denied"
    engines = _children(gateway.pid)
    assert engines
    os.kill(gateway.pid, how)
    gateway.wait()
    assert (gateway.folder / "serve-1.out").read_text().splitlines()[-1] == "admit has stopped"
    eventually(lambda: not any(Path(f"/proc/{engine}").exists() for engine in engines), "the engine's workers to be gone")
    assert [file.name for file in gateway.folder.glob("admit.db*")] == ["admit.db"]
    gateway.start()
    assert [decision["id"] for decision in gateway.decisions()] == [answer.json()["id"]]


def test_a_request_under_way_is_answered(gateway):
    """One whose body is still on its way; whoever comes after it is sent away."""
    body = json.dumps({"version": 1, "change": a_change_document(labels=["bug"])}).encode()
    head = f"POST /v1/admissions HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nAuthorization: Bearer {gateway.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=240) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100"), "it waits for the body"
        os.kill(gateway.pid, signal.SIGTERM)
        eventually(lambda: not _listens(gateway.port), "nobody else to be let in")
        connection.sendall(body)
        with connection.makefile("rb") as answered:
            answer = answered.read()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b'"outcome":"admitted"' in answer
    gateway.wait()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
