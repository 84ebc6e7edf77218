"""A server of an orchestrator as a child process: started in a group of its own, waited for, and ended with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.servers.children import die_with_parent


@contextmanager
def running(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], ready: Callable[[], bool], name: str
) -> Iterator[None]:
    """Until the block ends. ready: asked until it says yes, for at most five minutes."""
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            until = time.monotonic() + 300
            while not ready():
                assert process.poll() is None, f"{name} ended:\n{output.read_text(errors='replace')[-3000:]}"
                assert time.monotonic() < until, f"{name} was not ready within 300 s:\n{output.read_text(errors='replace')[-3000:]}"
                time.sleep(0.2)
            yield
        finally:
            _end(process)


def answers(url: str) -> bool:
    """With anything but a fault of its own."""
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
    process.wait()
