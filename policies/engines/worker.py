"""The worker: OPA as a library in a process of its own, which may loop, eat memory or die without taking anyone along.

Run by path (or `python -m policies.engines.worker`), with the numbers of the socket and of the
board's file; it answers frames in order until the socket closes. It imports only the standard
library, `frames` beside it and `opa_bindings`, because it is started again after every kill.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __name__ != "__main__":
    from policies.engines.frames import BOARD, Kind, frame, frames
else:  # run by path: only `frames` beside it is wanted, not the package and all it imports
    sys.path.append(str(Path(__file__).resolve().parent))
    from frames import BOARD, Kind, frame, frames

_PAIR = struct.Struct("=II")
_ONE = struct.Struct("=I")
_NANOSECONDS = struct.Struct("=Q")
_FLUSH_AFTER_NS = 2_000_000
_FLUSH_AFTER_BYTES = 1 << 16
_RECEIVE = 1 << 16


class Worker:
    """Holds one OPA engine per bundle number; answers one request at a time."""

    def __init__(self, bindings: Any, given: str) -> None:
        """given: the name of the function by which queries read what varies. An input of its own the library would parse twice."""
        self._bindings = bindings
        self._name_of_given = given.encode()
        self._library = bindings.engine._get_lib()
        self._bundles: dict[int, Any] = {}
        self._queries: dict[int, bytes] = {}
        self._parser = bindings.OpaEngine()
        self._given = b""
        self._libc = bindings.engine._get_libc()
        self._give = bindings._native.CALLBACK(self._hand_over)
        self._answers: dict[Kind, Callable[[bytes], bytes | None]] = {
            Kind.LOAD: self._load,
            Kind.FORGET: self._forget,
            Kind.QUERY: self._query,
            Kind.EVALUATE: self._evaluate,
            Kind.PARSE: self._parse,
            Kind.ASK: self._ask,
        }

    def answer(self, kind: Kind, body: bytes) -> bytes | None:
        """The answer's body, or None where a request has none."""
        answer: bytes | None = self._answers[kind](body)
        return answer

    def _load(self, body: bytes) -> bytes:
        request = json.loads(body)
        engine = self._engine()
        problems: list[tuple[str, str]] = []
        for path, source in request["modules"].items():
            try:
                engine.add_policy(path, source)
            except self._bindings.OpaError as error:
                problems.append((error.code, error.message))
        if not problems:
            try:
                engine.add_data(request["data"])
                engine.eval_query("true")
            except self._bindings.OpaError as error:
                problems.append((error.code, error.message))
        if not problems:
            self._bundles[request["bundle"]] = engine
        return json.dumps({"problems": problems}).encode()

    def _forget(self, body: bytes) -> None:
        (bundle,) = _ONE.unpack(body)
        engine = self._bundles.pop(bundle, None)
        if engine is not None:
            engine.close()

    def _query(self, body: bytes) -> None:
        (number,) = _ONE.unpack_from(body)
        self._queries[number] = body[_ONE.size :]

    def _evaluate(self, body: bytes) -> bytes:
        bundle, query = _PAIR.unpack_from(body)
        self._given = b"".join((b'{"result":', memoryview(body)[_PAIR.size :], b"}"))
        if b"\0" in self._given:
            raise ValueError("expected JSON, found a raw NUL byte")
        return self._envelope(self._bundles[bundle], self._queries[query], b"")

    def _parse(self, body: bytes) -> bytes:
        query = b"tree := rego.parse_module(input.path, input.source)"
        answers = []
        for path, source in json.loads(body).items():
            envelope = self._envelope(self._parser, query, json.dumps({"path": path, "source": source}).encode())
            answers.append(json.dumps(path).encode() + b":" + envelope)
        return b"{" + b",".join(answers) + b"}"

    def _ask(self, body: bytes) -> bytes:
        (bundle,) = _ONE.unpack_from(body)
        engine, request = self._bundles[bundle], json.loads(body[_ONE.size :])
        coverage, trace = int(request["coverage"]), int(request["trace"])
        return b"[" + b",".join(self._envelope(engine, text.encode(), b"", coverage, trace) for text in request["queries"]) + b"]"

    def _engine(self) -> Any:
        """A new OPA engine that knows the function `given`."""
        engine = self._bindings.OpaEngine()
        pointer = self._library.OpaRegisterBuiltin(engine._handle, self._name_of_given, 0, self._give)
        self._library.OpaFreeString(pointer)
        return engine

    def _hand_over(self, _engine: int, _name: bytes, _arguments: bytes) -> int | None:
        """What `given` answers, past the library's Python half, in memory that the library frees. Called from Go: it must not raise."""
        size = len(self._given) + 1
        copy: int | None = self._libc.malloc(size)
        if copy:
            ctypes.memmove(copy, self._given, size)
        return copy

    def _envelope(self, engine: Any, query: bytes, document: bytes, coverage: int = 0, trace: int = 0) -> bytes:
        """The library's own JSON answer, past its Python half, which would parse it here and have it written again.

        A NUL would end the text on the library's side and leave a shorter, other document.
        """
        if b"\0" in query or b"\0" in document:
            raise ValueError("expected JSON, found a raw NUL byte")
        pointer = self._library.OpaEvalQuery(engine._handle, query, document, coverage, trace)
        if not pointer:
            raise MemoryError("the library gave no answer")
        try:
            return ctypes.string_at(pointer)
        finally:
            self._library.OpaFreeString(pointer)


def serve(channel: socket.socket, board: mmap.mmap, worker: Worker) -> None:
    """Answer until the other side closes. Answers to what came in one read leave in one write, but none waits long for another."""
    buffer = bytearray()
    channel.sendall(frame(Kind.READY, 0))
    while chunk := channel.recv(_RECEIVE):
        buffer += chunk
        pending: list[bytes] = []
        size, flushed = 0, time.monotonic_ns()
        for kind, job, body in list(frames(buffer)):
            started = time.monotonic_ns()
            if pending and (kind is Kind.FLUSH or size > _FLUSH_AFTER_BYTES or started - flushed > _FLUSH_AFTER_NS):
                channel.sendall(b"".join(pending))
                pending, size, flushed = [], 0, started
            if kind is Kind.FLUSH:
                continue
            BOARD.pack_into(board, 0, job, started)
            answer = _answered(worker, kind, job, body, started)
            if answer is not None:
                pending.append(answer)
                size += len(answer)
        BOARD.pack_into(board, 0, 0, 0)
        if pending:
            channel.sendall(b"".join(pending))


def _answered(worker: Worker, kind: Kind, job: int, body: bytes, started: int) -> bytes | None:
    try:
        answer = worker.answer(kind, body)
    except Exception as problem:  # a process's edge: the parent must hear of it, and this worker goes on
        return frame(Kind.FAILED, job, _NANOSECONDS.pack(time.monotonic_ns() - started), repr(problem).encode())
    if answer is None:
        return None
    return frame(Kind.ANSWER, job, _NANOSECONDS.pack(time.monotonic_ns() - started), answer)


def _die_with(parent: int) -> None:
    """A worker that loops does not read its socket: leave when the parent has gone, whatever the evaluation does."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _leave_the_network() -> None:
    """An empty network of its own, where the kernel allows it: queries wall off every builtin that dials, and this is behind them."""
    if sys.platform != "linux":
        return
    new_user, new_net = 0x10000000, 0x40000000  # https://man7.org/linux/man-pages/man2/unshare.2.html
    flags = new_net if os.geteuid() == 0 else new_user | new_net
    ctypes.CDLL(None).unshare(flags)  # refused in some containers: then the walls stand alone


def _limit(address_space: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = address_space if hard == resource.RLIM_INFINITY else min(address_space, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses; the parent watches anyhow
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main() -> None:
    """`worker.py SOCKET BOARD PARENT ADDRESS_SPACE LIBRARY_FOLDER GIVEN`."""
    descriptor, board_descriptor, parent, address_space, folder, given = sys.argv[1:7]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops its workers in order
    _limit(int(address_space))
    _leave_the_network()
    sys.path.append(folder)
    import opa_bindings

    threading.Thread(target=_die_with, args=(int(parent),), daemon=True).start()
    channel = socket.socket(fileno=int(descriptor))
    board = mmap.mmap(int(board_descriptor), BOARD.size)
    serve(channel, board, Worker(opa_bindings, given))


if __name__ == "__main__":
    main()
