"""What runs where and for how long: a fair queue in front of killable workers.

A worker is given several small jobs at once (its socket never runs dry) but only one that has
shown itself slow. A watcher looks at every busy worker's board: over its job's deadline or over
memory, it is killed and replaced. The job it was at pays; the others it had been given go back
to the front of the queue, since evaluating is pure and may be done twice.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from policies.bundles.model import Bundle
from policies.engines.fair_queue import FairQueue
from policies.engines.frames import Kind, frame
from policies.engines.reserved import RESERVED_MODULES
from policies.engines.worker_process import WorkerProcess
from policies.errors import EngineBusy, EngineCrashed, EngineError, EngineTimedOut, EngineUnavailable
from policies.model import Digest

_WATCH_EVERY = 0.05
_AHEAD_SECONDS = 0.004
"""How much work a worker may have in hand: enough to keep it busy, little enough to stay fair."""
_AHEAD_JOBS = 64
_BUNDLES_HELD = 32
_START_DEADLINE = 30.0

_NO_PROBLEMS = b'{"problems": []}'
_QUERIES_HELD = 2000
"""Distinct queries a worker may have seen. The library keeps each for ever, so it is replaced by a new one then."""

Sentence = Literal["deadline", "memory", "start", "retired"]

_PAIR = struct.Struct("=II")
_ONE = struct.Struct("=I")
_NANOSECONDS = struct.Struct("=Q")


@dataclass(eq=False, slots=True, kw_only=True)
class Job:
    """One thing for a worker to do.

    bundle, query: what has to be there first; the pool puts them there.
    body: of the frame; for EVALUATE what follows the two numbers.
    """

    kind: Kind
    body: bytes
    deadline: float
    share: str = ""
    bundle: Bundle | None = None
    query: str | None = None
    tests: bool = False
    number: int = 0
    queued_at: float = 0.0
    estimate: float = 0.0
    answer: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(eq=False, slots=True, kw_only=True)
class _Seat:
    """A worker and what it has in hand."""

    process: WorkerProcess
    born: float
    ready: bool = False
    jobs: OrderedDict[int, Job] = field(default_factory=OrderedDict)
    hand: float = 0.0
    bundles: OrderedDict[tuple[Digest, bool], int] = field(default_factory=OrderedDict)
    queries: dict[str, int] = field(default_factory=dict)
    suspect: int = 0
    sentence: Sentence | None = None


class WorkerPool:
    """Runs jobs."""

    def __init__(self, *, workers: int, queue_limit: int, memory_limit: int, compile_deadline: float, patience: float) -> None:
        self._wanted = workers
        self._memory_limit = memory_limit
        self._compile_deadline = compile_deadline
        self._patience = patience
        self._queue: FairQueue[Job] = FairQueue(queue_limit)
        self._seats: list[_Seat] = []
        self._numbers = 0
        self._cost: dict[tuple[Digest | None, str | None], float] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._failed_starts = 0
        self._last_start_failure = ""
        self._closed = False
        self._burials: set[asyncio.Task[None]] = set()
        self._busy = asyncio.Event()
        self._dispatch_planned = False

    async def run(self, job: Job) -> bytes:
        """The answer's body. Raises EngineTimedOut, EngineCrashed, EngineBusy, EngineUnavailable."""
        if self._closed:
            raise EngineUnavailable("the engine is closed")
        self.start()
        self._busy.set()
        job.queued_at = time.monotonic()
        refused = self._queue.push(job.share, job)
        if refused is not None:
            self._refuse(refused)
        self._plan_dispatch()
        return await job.answer

    def start(self) -> None:
        """Start what workers are missing. Raises EngineUnavailable where the library is not installed."""
        while len(self._seats) < self._wanted:
            process = WorkerProcess(memory_limit=self._memory_limit, on_frame=self._on_frame, on_death=self._on_death)
            self._seats.append(_Seat(process=process, born=time.monotonic()))
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop everything; what waits is told so."""
        self._closed = True
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        seats, self._seats = self._seats, []
        for job in (*(job for seat in seats for job in seat.jobs.values()), *self._queue):
            _fail(job, EngineUnavailable("the engine was closed"))
        await asyncio.gather(*(seat.process.close() for seat in seats), *self._burials)

    # Giving out work

    def _plan_dispatch(self) -> None:
        if not self._dispatch_planned:
            self._dispatch_planned = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatch_planned = False
        while len(self._queue):
            free = [seat for seat in self._seats if seat.ready and seat.sentence is None and self._has_room(seat)]
            if not free:
                return
            share, job = self._queue.pop()
            if job.answer.done():
                continue
            job.estimate = self._cost.get(_cost_key(job), _AHEAD_SECONDS)
            self._queue.charge(share, job.estimate)
            self._give(min(free, key=lambda seat: seat.hand), job)

    def _has_room(self, seat: _Seat) -> bool:
        if len(seat.queries) > _QUERIES_HELD:
            if not seat.jobs:
                self._execute(seat, "retired")
            return False
        return not seat.jobs or (seat.hand < _AHEAD_SECONDS and len(seat.jobs) < _AHEAD_JOBS)

    def _give(self, seat: _Seat, job: Job) -> None:
        head = b""
        if job.kind is Kind.LOAD:
            self._load(seat, job)
            return
        if job.bundle is not None:
            bundle = self._bundle_number(seat, job.bundle, job.tests)
            if job.query is not None:
                head = _PAIR.pack(bundle, self._query_number(seat, job.query))
            elif job.kind is Kind.ASK:
                head = _ONE.pack(bundle)
        self._hand(seat, job, frame(job.kind, self._next_number(job), head, job.body))

    def _hand(self, seat: _Seat, job: Job, data: bytes) -> None:
        seat.jobs[job.number] = job
        seat.hand += job.estimate
        seat.process.send(data)

    def _bundle_number(self, seat: _Seat, bundle: Bundle, tests: bool) -> int:
        key = (bundle.digest, tests)
        if key not in seat.bundles:
            load = Job(kind=Kind.LOAD, body=b"", deadline=self._compile_deadline, bundle=bundle, tests=tests)
            load.answer.add_done_callback(_retrieve)
            self._load(seat, load)
        seat.bundles.move_to_end(key)
        return seat.bundles[key]

    def _load(self, seat: _Seat, job: Job) -> None:
        assert job.bundle is not None
        key = (job.bundle.digest, job.tests)
        if key in seat.bundles:
            job.answer.set_result(_NO_PROBLEMS)
            return
        while len(seat.bundles) >= _BUNDLES_HELD:
            _, old = seat.bundles.popitem(last=False)
            seat.process.send(frame(Kind.FORGET, 0, _ONE.pack(old)))
        self._numbers += 1
        seat.bundles[key] = number = self._numbers
        self._hand(seat, job, frame(Kind.LOAD, self._next_number(job), _load_body(number, job.bundle, job.tests)))

    def _query_number(self, seat: _Seat, text: str) -> int:
        number = seat.queries.get(text)
        if number is None:
            number = seat.queries[text] = len(seat.queries) + 1
            seat.process.send(frame(Kind.QUERY, 0, _ONE.pack(number), text.encode()))
        return number

    def _next_number(self, job: Job) -> int:
        self._numbers += 1
        job.number = self._numbers
        return job.number

    # What workers say

    def _on_frame(self, process: WorkerProcess, kind: Kind, number: int, body: bytes) -> None:
        seat = next(seat for seat in self._seats if seat.process is process)
        if kind is Kind.READY:
            seat.ready = True
            self._failed_starts = 0
        elif number in seat.jobs:
            self._settle(seat, kind, number, body)
        self._plan_dispatch()

    def _settle(self, seat: _Seat, kind: Kind, number: int, body: bytes) -> None:
        job = seat.jobs.pop(number)
        seat.hand = seat.hand - job.estimate if seat.jobs else 0.0
        if job.kind is Kind.LOAD and job.bundle is not None and not body.endswith(_NO_PROBLEMS):
            seat.bundles.pop((job.bundle.digest, job.tests), None)
        (nanoseconds,) = _NANOSECONDS.unpack_from(body)
        seconds = nanoseconds / 1e9
        self._queue.charge(job.share, seconds - job.estimate)
        self._remember_cost(job, seconds)
        if job.answer.done():
            return
        if kind is Kind.FAILED:
            job.answer.set_exception(EngineCrashed(f"a worker could not answer: {body[_NANOSECONDS.size :].decode(errors='replace')}"))
        else:
            job.answer.set_result(body[_NANOSECONDS.size :])

    def _remember_cost(self, job: Job, seconds: float) -> None:
        key = _cost_key(job)
        if len(self._cost) > 4096:
            self._cost.clear()
        self._cost[key] = seconds if key not in self._cost else 0.8 * self._cost[key] + 0.2 * seconds

    # Deadlines, memory, deaths

    async def _watch(self) -> None:
        while True:
            await self._busy.wait()
            await asyncio.sleep(_WATCH_EVERY)
            if not len(self._queue) and all(seat.ready and not seat.jobs for seat in self._seats):
                self._busy.clear()
            now = time.monotonic()
            for seat in list(self._seats):
                self._look_at(seat, now)
            for job in [job for job in self._queue if now - job.queued_at > self._patience]:
                self._refuse(job)

    def _look_at(self, seat: _Seat, now: float) -> None:
        if seat.sentence is not None:
            return
        if not seat.ready:
            if now - seat.born > _START_DEADLINE:
                self._execute(seat, "start")
            return
        number, started = seat.process.at
        job = seat.jobs.get(number)
        if job is not None and now - started / 1e9 > job.deadline:
            if seat.suspect == number:
                self._execute(seat, "deadline")
            seat.suspect = number  # its answer may lie unread because our own loop was late: look twice
        elif seat.process.resident() > self._memory_limit:
            self._execute(seat, "memory")

    def _execute(self, seat: _Seat, sentence: Sentence) -> None:
        seat.sentence = sentence
        seat.process.kill()

    def _on_death(self, process: WorkerProcess) -> None:
        seat = next((seat for seat in self._seats if seat.process is process), None)
        if seat is None:
            return
        self._seats.remove(seat)
        number, _ = process.last
        guilty = seat.jobs.pop(number, None)
        for job in (guilty, *reversed(seat.jobs.values())):
            if job is None or job.answer.done():
                continue
            if guilty is not None and (job is guilty or (guilty.kind is Kind.LOAD and job.bundle is guilty.bundle)):
                _fail(job, self._sentence(seat, guilty))
            elif job.kind is not Kind.LOAD or job.share:
                self._queue.push_front(job.share, job)
        if not seat.ready:
            self._start_failed(process.complaint())
        self._buried(process)
        self._replace()

    def _buried(self, process: WorkerProcess) -> None:
        burial = asyncio.get_running_loop().create_task(process.close())
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)

    def _sentence(self, seat: _Seat, job: Job) -> EngineError:
        name = f"bundle '{job.bundle.name}'" if job.bundle is not None else "parsing"
        match seat.sentence:
            case "deadline":
                what = "compiling" if job.kind is Kind.LOAD else "evaluating"
                return EngineTimedOut(f"{name}: {what} took longer than {job.deadline:g} s and was stopped")
            case "memory":
                return EngineCrashed(f"{name}: used more than {self._memory_limit >> 20} MB of memory and was stopped")
            case _:
                return EngineCrashed(f"{name}: the worker died ({seat.process.complaint()})")

    def _start_failed(self, complaint: str) -> None:
        self._failed_starts += 1
        self._last_start_failure = complaint

    def _replace(self) -> None:
        if self._closed:
            return
        if self._failed_starts >= 3:
            self._failed_starts = 0
            unavailable = f"OPA's library does not start: {self._last_start_failure}"
            while len(self._queue):
                _fail(self._queue.pop()[1], EngineUnavailable(unavailable))
            return
        self.start()

    def _refuse(self, job: Job) -> None:
        seconds = sum(self._cost.get(_cost_key(each), 0.01) for each in self._queue) / self._wanted
        _fail(job, EngineBusy(f"{len(self._queue)} evaluations are waiting already", retry_after=min(30.0, max(1.0, seconds))))


def _cost_key(job: Job) -> tuple[Digest | None, str | None]:
    return (job.bundle.digest if job.bundle is not None else None, job.query if job.query is not None else job.kind.name)


def _load_body(number: int, bundle: Bundle, tests: bool) -> bytes:
    modules = {**bundle.modules, **(bundle.tests if tests else {}), **RESERVED_MODULES}
    return json.dumps({"bundle": number, "modules": modules, "data": dict(bundle.data)}, ensure_ascii=False).encode()


def _fail(job: Job, problem: EngineError) -> None:
    if not job.answer.done():
        job.answer.set_exception(problem)


def _retrieve(answer: asyncio.Future[bytes]) -> None:
    """An implicit load nobody awaits: the job behind it will fail by itself."""
    if not answer.cancelled():
        answer.exception()
