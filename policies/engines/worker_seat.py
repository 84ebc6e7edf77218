"""A worker and what it has in hand: jobs given and not answered, bundles and queries it has been told.

Separate from the pool, which decides who gets what: a seat only knows how to put a job to its
worker, with all that has to be there first.
"""

from __future__ import annotations

import json
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.bundles.model import Bundle
from policies.engines.frames import Kind, frame, in_pieces
from policies.engines.reserved import RESERVED_MODULES
from policies.engines.worker_process import WorkerProcess
from policies.errors import EngineCrashed, EngineError
from policies.loop import running_loop
from policies.model import Digest

if TYPE_CHECKING:
    import asyncio

NO_PROBLEMS = b"[]"

AHEAD_SECONDS = 0.004
"""How much work a worker may have in hand: enough to keep it busy, little enough to stay fair."""
_AHEAD_JOBS = 64
_BUNDLES_HELD = 32
_QUERIES_HELD = 2000
"""Distinct queries a worker may have seen. The library keeps each for ever, so it is replaced by a new one then."""

_PAIR = struct.Struct("=II")
_ONE = struct.Struct("=I")
_NANOSECONDS = struct.Struct("=Q")


class Job:
    """One thing for a worker to do.

    bundle, query: what has to be there first; the seat puts them there. tests: the bundle with its tests.
    body: of the frame, without the numbers of bundle and query.
    implicit: a load nobody asked for, before an evaluation on a worker that has not seen the bundle.
    """

    __slots__ = ("answer", "body", "bundle", "deadline", "estimate", "implicit", "kind", "number", "query", "queued_at", "share", "tests")

    def __init__(
        self,
        *,
        kind: int,
        deadline: float,
        body: bytes = b"",
        share: str = "",
        bundle: Bundle | None = None,
        query: str | None = None,
        tests: bool = False,
        implicit: bool = False,
    ) -> None:
        self.kind, self.deadline, self.body, self.share = kind, deadline, body, share
        self.bundle, self.query, self.tests, self.implicit = bundle, query, tests, implicit
        self.number, self.queued_at, self.estimate = 0, 0.0, AHEAD_SECONDS
        self.answer: asyncio.Future[bytes] = running_loop().create_future()

    @property
    def digest(self) -> Digest | None:
        """Of its bundle, if it has one."""
        return None if self.bundle is None else self.bundle.digest

    def fail(self, problem: EngineError) -> None:
        """Tell whoever waits, if somebody still does."""
        if not self.answer.done():
            self.answer.set_exception(problem)


class Sentence(StrEnum):
    """Why a worker was killed by us."""

    DEADLINE = "deadline"
    MEMORY = "memory"
    NO_START = "no start"
    RETIRED = "retired"


class Seat:
    """One worker. It is never given more than a few milliseconds of work ahead."""

    def __init__(self, process: WorkerProcess, *, compile_deadline: float, number: Callable[[], int]) -> None:
        self.process = process
        self.born = time.monotonic()
        self.ready = False
        self.sentence: Sentence | None = None
        self.suspect = 0
        self.jobs: OrderedDict[int, Job] = OrderedDict()
        self._hand = 0.0
        self._bundles: OrderedDict[tuple[Digest, bool], int] = OrderedDict()
        self._queries: dict[str, int] = {}
        self._compile_deadline = compile_deadline
        self._number = number

    @property
    def hand(self) -> float:
        """Seconds of work it has been given, as far as can be told."""
        return self._hand

    @property
    def idle(self) -> bool:
        return self.ready and not self.jobs and self.sentence is None

    @property
    def worn(self) -> bool:
        """It has seen so many queries that it should be replaced."""
        return len(self._queries) > _QUERIES_HELD

    @property
    def has_room(self) -> bool:
        """It may be given another job."""
        if not self.ready or self.sentence is not None or self.worn:
            return False
        return not self.jobs or (self._hand < AHEAD_SECONDS and len(self.jobs) < _AHEAD_JOBS)

    def execute(self, sentence: Sentence) -> None:
        """Kill it. Its death is reported by the process."""
        self.sentence = sentence
        self.process.kill()

    def give(self, job: Job) -> None:
        """Put it to the worker, behind what it has. An idle worker gets it at once."""
        idle = self.idle
        if job.kind == Kind.LOAD:
            self._load(job)
        else:
            self._put(job, frame(job.kind, self._numbered(job), self._head(job), job.body))
        if idle:
            self.process.flush()

    def settle(self, kind: int, number: int, body: bytes) -> tuple[Job, float] | None:
        """Take a job's answer: the job, and the seconds it took."""
        job = self.jobs.pop(number, None)
        if job is None:
            return None
        self._hand = self._hand - job.estimate if self.jobs else 0.0
        if job.kind == Kind.LOAD and job.bundle is not None and body[_NANOSECONDS.size :] != NO_PROBLEMS:
            self._bundles.pop((job.bundle.digest, job.tests), None)
        (nanoseconds,) = _NANOSECONDS.unpack_from(body)
        answer = body[_NANOSECONDS.size :]
        if kind == Kind.FAILED:
            job.fail(EngineCrashed(f"a worker could not answer: {answer.decode(errors='replace')}"))
        elif not job.answer.done():
            job.answer.set_result(answer)
        return job, nanoseconds / 1e9

    def killed_by(self) -> tuple[Job | None, Iterator[Job]]:
        """Of a dead worker: the job it was at, and the innocent ones behind it, last first."""
        number, _ = self.process.last
        guilty = self.jobs.pop(number, None)
        return guilty, reversed(self.jobs.values())

    def _head(self, job: Job) -> bytes:
        if job.bundle is None:
            return b""
        bundle = self._bundle_number(job.bundle, job.tests)
        return _ONE.pack(bundle) if job.query is None else _PAIR.pack(bundle, self._query_number(job.query))

    def _bundle_number(self, bundle: Bundle, tests: bool) -> int:
        key = (bundle.digest, tests)
        if key not in self._bundles:
            load = Job(kind=Kind.LOAD, deadline=self._compile_deadline, bundle=bundle, tests=tests, implicit=True)
            load.answer.add_done_callback(_heard)
            self._load(load)
        self._bundles.move_to_end(key)
        return self._bundles[key]

    def _load(self, job: Job) -> None:
        assert job.bundle is not None
        key = (job.bundle.digest, job.tests)
        if key in self._bundles:
            job.answer.set_result(NO_PROBLEMS)
            return
        while len(self._bundles) >= _BUNDLES_HELD:
            _, old = self._bundles.popitem(last=False)
            self.process.send(frame(Kind.FORGET, 0, _ONE.pack(old)))
        self._bundles[key] = number = self._number()
        self._put(job, frame(Kind.LOAD, self._numbered(job), _load_body(number, job.bundle, job.tests)))

    def _query_number(self, text: str) -> int:
        number = self._queries.get(text)
        if number is None:
            number = self._queries[text] = len(self._queries) + 1
            self.process.send(frame(Kind.QUERY, 0, _ONE.pack(number), text.encode()))
        return number

    def _numbered(self, job: Job) -> int:
        job.number = self._number()
        return job.number

    def _put(self, job: Job, data: bytes) -> None:
        if self.jobs and job.estimate >= AHEAD_SECONDS:
            self.process.send(frame(Kind.FLUSH, 0))
        self.jobs[job.number] = job
        self._hand += job.estimate
        self.process.send(data)


def _load_body(number: int, bundle: Bundle, tests: bool) -> bytes:
    modules = {**bundle.modules, **(bundle.tests if tests else {}), **RESERVED_MODULES}
    data = json.dumps(dict(bundle.data), ensure_ascii=False)
    return _ONE.pack(number) + in_pieces(data.encode(), *(text.encode() for module in modules.items() for text in module))


def _heard(answer: asyncio.Future[bytes]) -> None:
    """Nobody waits for an implicit load: the job behind it fails by itself."""
    if not answer.cancelled():
        answer.exception()
