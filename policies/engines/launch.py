"""A worker's process from its start until somebody listens to it.

Separate from `worker_process`, because loading OPA takes a worker as long as a command takes to load everything else: so it is
started before there is an event loop, and before what would use one is imported.
"""

from __future__ import annotations

import importlib.util
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from policies.engines.frames import BOARD
from policies.errors import EngineUnavailable
from policies.values import value

ADDRESS_SPACE = 4 << 30
"""RLIMIT_AS of a worker. Go maps 1.7 GB while idle, so this is only the last line; the parent watches what is resident."""

MEMORY_LIMIT = 1 << 30
"""Bytes a worker may have resident, where nobody says how many."""

GIVEN = f"given_{os.urandom(8).hex()}"
"""The function by which queries read their input: a name no policy can know, so none can call it."""

_WORKER = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import worker; worker.main()"
"""Not run by its path: what is imported is compiled once for all its starts."""

_HOW_TO_INSTALL = (
    "install OPA's library with `make setup`, or with `pip install --ignore-requires-python --no-deps opa-golib-python-bindings==0.4.4`"
)


def library_folder() -> str:
    """Where `opa_bindings` is installed. Raises EngineUnavailable, saying how to install it."""
    found = importlib.util.find_spec("opa_bindings")
    if found is None or found.origin is None:
        missing = EngineUnavailable("the embedded OPA library (opa_bindings) is not installed")
        missing.advice = _HOW_TO_INSTALL
        raise missing
    return str(Path(found.origin).parent.parent)


def bindings_version() -> str:
    """Of the installed `opa_bindings`, from the name of its metadata's folder: quicker than reading it. Raises EngineUnavailable."""
    (found,) = Path(library_folder()).glob("opa_golib_python_bindings-*.dist-info")
    return found.name.removeprefix("opa_golib_python_bindings-").removesuffix(".dist-info")


@value
class Launched:
    """A worker that is starting. It ends when the channel is closed, or its parent has gone.

    board: shared with it (`frames`). complaints: what it writes to stderr.
    """

    process: subprocess.Popen[bytes]
    channel: socket.socket
    board: mmap.mmap
    complaints: BinaryIO


def launch(memory_limit: int = MEMORY_LIMIT) -> Launched:
    """A fresh interpreter, by path: not forked, since Go does not promise to work in a forked child. Raises EngineUnavailable."""
    library = library_folder()
    complaints = _unnamed_file()
    channel, theirs = socket.socketpair()
    with theirs, _unnamed_file() as board:
        board.truncate(BOARD.size)
        numbers = [str(number) for number in (theirs.fileno(), board.fileno(), os.getpid(), ADDRESS_SPACE)]
        process = subprocess.Popen(  # noqa: S603  our own interpreter and script
            [sys.executable, "-I", "-S", "-c", _WORKER, *numbers, library, GIVEN],
            pass_fds=(theirs.fileno(), board.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=_environment(memory_limit),
            process_group=0,  # Ctrl-C is for the parent, which stops its workers in order
        )
        return Launched(process=process, channel=channel, board=mmap.mmap(board.fileno(), BOARD.size), complaints=complaints)


def _unnamed_file() -> BinaryIO:
    """In memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("admit"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()  # type: ignore[return-value, unused-ignore]


def _environment(memory_limit: int) -> dict[str, str]:
    """Nothing of ours reaches the worker, and local time is UTC for whoever asks for it.

    GOMAXPROCS: measured, one evaluation at a time wants no second collector thread.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, **collector(memory_limit), "TZ": "UTC", "GOMAXPROCS": "1"}


def collector(memory_limit: int = MEMORY_LIMIT) -> dict[str, str]:
    """When a worker collects its garbage: at nine times what is alive, and before garbage alone could reach the limit.

    Measured, twice GOGC takes about a tenth off an evaluation and adds some 25 MB to a worker; GOMEMLIMIT bounds it where bundles are
    large. By GOMEMLIMIT alone it would collect all the time where a bundle's data come near it.
    """
    return {"GOGC": "800", "GOMEMLIMIT": str(memory_limit * 3 // 4)}
