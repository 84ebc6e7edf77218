"""What the database servers of the tests have in common: a folder in tmp, a child process on a free loopback port, an end.

One server of a kind serves the whole test session, each test gets a database of its own. A test that stops or kills its
server takes one of its own (`with PostgreSQL() as server`). A server dies with the tests that started it, also when they
are killed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tests.servers.children import die_with_parent
from tests.servers.ports import free_port

_START_LIMIT = 240.0


class DatabaseServer(ABC):
    """One server with a data folder of its own. Start and stop it as often as you like: the data stays until `remove`."""

    stop_signal = signal.SIGTERM
    as_user: str | None = None

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"admit-{type(self).__name__.lower()}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What runs the server in the foreground."""

    @abstractmethod
    def _connect(self) -> Any:
        """A DB-API connection of the administrator, in autocommit. Raises the driver's errors."""

    @abstractmethod
    def url(self, database: str) -> str:
        """As `Database` takes it."""

    @abstractmethod
    def _drop(self, database: str) -> str:
        """The statement that drops a database, whoever is connected."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> None:
        """Run it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.as_user,
                group=self.as_user,
                extra_groups=[] if self.as_user else None,
                preexec_fn=die_with_parent,
            )
        deadline = time.monotonic() + _START_LIMIT
        while True:
            try:
                self._connect().close()
                return
            except Exception as problem:  # whatever the driver says while it is not up yet
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.folder} did not come up: {problem}\n{self.log()[-2000:]}") from problem
            time.sleep(0.1)

    def stop(self) -> None:
        """Shut it down in order; what it holds stays."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            self._process.wait(240)
            self._process = None

    def kill(self) -> None:
        """As a power cut would: on return nothing of it runs any more. PostgreSQL's processes outlive the first of them for as
        long as they are busy, and could still answer."""
        if self._process is not None:
            children = _stopped(self._process)
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait(240)
            self._process = None
            _await_end(children)

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def run(self, statement: str) -> None:
        """As administrator."""
        connection = self._connect()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """A new, empty database; its URL. It is dropped afterwards."""
        name = f"admit_{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.run(self._drop(name))


def _stopped(process: subprocess.Popen[bytes]) -> list[int]:
    """The process starts nobody any more; those it has started."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def _await_end(pids: Collection[int]) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            raise RuntimeError(f"expected processes {sorted(pids)} to end, killed as they are; they run on")
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "XZ"  # nobody may have asked yet how it ended


def until_exit(make: Callable[[], DatabaseServer]) -> DatabaseServer:
    """A started server that ends with this process."""
    server = make()
    atexit.register(server.remove)
    server.start()
    return server
