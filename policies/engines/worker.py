"""The worker: OPA as a library in a process of its own, which may loop, eat memory or die without taking anyone along.

Imported by itself from its folder, with the numbers of the socket and of the board's file; it answers frames in order until the
socket closes. What it imports is counted: a command waits for it to start, and it is started again after every kill. OPA takes
6 ms of that, and each of `json`, `enum`, `pathlib` and `opa_bindings`' own Python half would take half as much again. So texts
come and go as bytes, and the library is called as its Python half calls it (`opa_bindings/_native.py`, of the pinned release).
"""

from __future__ import annotations

import _thread
import ctypes
import mmap
import os
import resource
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if TYPE_CHECKING or __package__:
    from policies.engines.frames import BOARD, Kind, frame, frames, pieces
else:  # only `frames` beside it is wanted, not the package and all it imports
    from frames import BOARD, Kind, frame, frames, pieces

_PAIR = struct.Struct("=II")
_ONE = struct.Struct("=I")
_ASKED = struct.Struct("=I??")
_NANOSECONDS = struct.Struct("=Q")
_FLUSH_AFTER_NS = 2_000_000
_FLUSH_AFTER_BYTES = 1 << 16
_RECEIVE = 1 << 16

_TAKEN = b'{"result":true}'
_COMPILED = b'{"prints":null,"result":[{"expressions":[{"value":true,'
_TEXT_WITH_NUL = b'{"error":{"code":"invalid_argument","message":"expected text, found a raw NUL in it"}}'

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_char_p)


def library_in(folder: str) -> Any:
    """OPA's library. Whatever answers a text leaves it to be freed, hence pointers."""
    library = ctypes.CDLL(os.path.join(folder, "opa_bindings", "libopabridge.so"))
    engine, text, pointer, flag = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
    for name, result, *arguments in (
        ("OpaNew", engine),
        ("OpaDestroy", None, engine),
        ("OpaFreeString", None, pointer),
        ("OpaAddPolicy", pointer, engine, text, text),
        ("OpaAddData", pointer, engine, text, text),
        ("OpaRegisterBuiltin", pointer, engine, text, flag, _CALLBACK),
        ("OpaEvalQuery", pointer, engine, text, text, flag, flag),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Worker:
    """Holds one OPA engine per bundle number; answers one request at a time."""

    def __init__(self, library: Any, given: str) -> None:
        """given: the name of the function by which queries read what varies. An input of its own the library would parse twice."""
        self._library = library
        self._name_of_given = given.encode()
        self._bundles: dict[int, int] = {}
        self._queries: dict[int, bytes] = {}
        self._parser: int = library.OpaNew()
        self._given = b""
        self._malloc = ctypes.CDLL(None).malloc
        self._malloc.restype, self._malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self._give = _CALLBACK(self._hand_over)
        self._answers: dict[int, Callable[[bytes], bytes | None]] = {
            Kind.LOAD: self._load,
            Kind.FORGET: self._forget,
            Kind.QUERY: self._query,
            Kind.EVALUATE: self._evaluate,
            Kind.PARSE: self._parse,
            Kind.ASK: self._ask,
        }

    def answer(self, kind: int, body: bytes) -> bytes | None:
        """The answer's body, or None where a request has none."""
        answer: bytes | None = self._answers[kind](body)
        return answer

    def _load(self, body: bytes) -> bytes:
        """What is not taken as it should be is told in the library's words, whatever they are; then nothing of the bundle is held."""
        (bundle,) = _ONE.unpack_from(body)
        data, *modules = pieces(body, _ONE.size)
        engine = self._engine()
        taken = [
            self._call(self._library.OpaAddPolicy, engine, path, source) for path, source in zip(modules[::2], modules[1::2], strict=True)
        ]
        problems = [envelope for envelope in taken if envelope != _TAKEN]
        if not problems and (merged := self._call(self._library.OpaAddData, engine, b"", data)) != _TAKEN:
            problems.append(merged)
        if not problems and not (compiled := self._call(self._library.OpaEvalQuery, engine, b"true", b"", 0, 0)).startswith(_COMPILED):
            problems.append(compiled)
        if problems:
            self._library.OpaDestroy(engine)
        else:
            self._bundles[bundle] = engine
        return b"[" + b",".join(problems) + b"]"

    def _forget(self, body: bytes) -> None:
        (bundle,) = _ONE.unpack(body)
        engine = self._bundles.pop(bundle, None)
        if engine is not None:
            self._library.OpaDestroy(engine)

    def _query(self, body: bytes) -> None:
        (number,) = _ONE.unpack_from(body)
        self._queries[number] = body[_ONE.size :]

    def _evaluate(self, body: bytes) -> bytes:
        bundle, query = _PAIR.unpack_from(body)
        self._given = b"".join((b'{"result":', memoryview(body)[_PAIR.size :], b"}"))
        if b"\0" in self._given:
            raise ValueError("expected JSON, found a raw NUL byte")
        return self._call(self._library.OpaEvalQuery, self._bundles[bundle], self._queries[query], b"", 0, 0)

    def _parse(self, body: bytes) -> bytes:
        query = b"tree := rego.parse_module(input.path, input.source)"
        named = pieces(body)
        answers = [
            path + b":" + self._call(self._library.OpaEvalQuery, self._parser, query, document, 0, 0)
            for path, document in zip(named[::2], named[1::2], strict=True)
        ]
        return b"{" + b",".join(answers) + b"}"

    def _ask(self, body: bytes) -> bytes:
        bundle, coverage, trace = _ASKED.unpack_from(body)
        engine = self._bundles[bundle]
        answers = [self._call(self._library.OpaEvalQuery, engine, query, b"", coverage, trace) for query in pieces(body, _ASKED.size)]
        return b"[" + b",".join(answers) + b"]"

    def _engine(self) -> int:
        """A new OPA engine that knows the function `given`."""
        engine: int = self._library.OpaNew()
        self._call(self._library.OpaRegisterBuiltin, engine, self._name_of_given, 0, self._give)
        return engine

    def _hand_over(self, _engine: int, _name: bytes, _arguments: bytes) -> int | None:
        """What `given` answers, in memory that the library frees. Called from Go: it must not raise."""
        size = len(self._given) + 1
        copy: int | None = self._malloc(size)
        if copy:
            ctypes.memmove(copy, self._given, size)
        return copy

    def _call(self, function: Callable[..., int | None], engine: int, *arguments: Any) -> bytes:
        """The library's own JSON answer. A NUL would end a text on its side and leave a shorter, other one."""
        if any(isinstance(argument, bytes) and b"\0" in argument for argument in arguments):
            return _TEXT_WITH_NUL
        pointer = function(engine, *arguments)
        if not pointer:
            raise MemoryError("the library gave no answer")
        try:
            return ctypes.string_at(pointer)
        finally:
            self._library.OpaFreeString(pointer)


def serve(channel: int, board: mmap.mmap, worker: Worker) -> None:
    """Answer until the other side closes. Answers to what came in one read leave in one write, but none waits long for another."""
    buffer = bytearray()
    _send(channel, frame(Kind.READY, 0))
    while chunk := os.read(channel, _RECEIVE):
        buffer += chunk
        pending: list[bytes] = []
        size, flushed = 0, time.monotonic_ns()
        for kind, job, body in list(frames(buffer)):
            started = time.monotonic_ns()
            if pending and (kind == Kind.FLUSH or size > _FLUSH_AFTER_BYTES or started - flushed > _FLUSH_AFTER_NS):
                _send(channel, b"".join(pending))
                pending, size, flushed = [], 0, started
            if kind == Kind.FLUSH:
                continue
            BOARD.pack_into(board, 0, job, started)
            answer = _answered(worker, kind, job, body)
            if answer is not None:
                pending.append(answer)
                size += len(answer)
        BOARD.pack_into(board, 0, 0, 0)
        if pending:
            _send(channel, b"".join(pending))


def _send(channel: int, data: bytes) -> None:
    sent = os.write(channel, data)
    while sent < len(data):
        data = data[sent:]
        sent = os.write(channel, data)


def _answered(worker: Worker, kind: int, job: int, body: bytes) -> bytes | None:
    """With the processor's time it took: by the clock on the wall a busy machine would look like heavy policies."""
    began = time.process_time_ns()
    try:
        answer = worker.answer(kind, body)
    except Exception as problem:  # a process's edge: the parent must hear of it, and this worker goes on
        kind, answer = Kind.FAILED, repr(problem).encode()
    else:
        kind = Kind.ANSWER
    return None if answer is None else frame(kind, job, _NANOSECONDS.pack(time.process_time_ns() - began), answer)


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
    try:  # noqa: SIM105  as told above: each import counts
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ValueError, OSError):  # macOS refuses
        pass  # the parent watches anyhow
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main() -> None:
    """SOCKET BOARD PARENT ADDRESS_SPACE LIBRARY_FOLDER GIVEN, as arguments."""
    channel, board, parent, address_space, folder, given = sys.argv[1:7]
    _limit(int(address_space))
    _leave_the_network()
    _thread.start_new_thread(_die_with, (int(parent),))
    serve(int(channel), mmap.mmap(int(board), BOARD.size), Worker(library_in(folder), given))
