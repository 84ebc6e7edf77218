"""What runs where and for how long: a fair queue in front of killable workers.

A worker is given several small jobs at once (its socket never runs dry) but only one that has
shown itself slow. A watcher looks at every busy worker's board: over its job's deadline or over
memory, it is killed and replaced. The job it was at pays; the others it had been given go back
to the front of the queue, since evaluating is pure and may be done twice.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from policies.engines.costs import Costs
from policies.engines.fair_queue import FairQueue
from policies.engines.frames import Kind
from policies.engines.launch import Launched, launch
from policies.engines.memory import resident
from policies.engines.worker_process import WorkerProcess
from policies.engines.worker_seat import Job, Seat, Sentence
from policies.errors import EngineBusy, EngineCrashed, EngineError, EngineTimedOut, EngineUnavailable
from policies.loop import running_loop, together

if TYPE_CHECKING:
    import asyncio

_WATCH_EVERY = 0.05
_WORTH_A_WORKER = 0.05
"""Seconds of work waiting; starting a worker takes about twice that."""
_WORTH_SHARING = 0.0003
"""Seconds of one evaluation: several times what this room spends on it, so that another worker gives more than it takes."""
_BUSY = 0.7
"""Of one processor. A process that asks and spends as much is what others wait for, not the worker."""
_BEHIND_FOR_LONG = 0.25
"""Seconds of such work given behind other work."""
_FORGIVEN = 0.25
"""Of every second that goes by: now and then some evaluations at once are no reason."""
_WEIGHT_OF_NEW = 0.1
_START_DEADLINE = 30.0
_FAILED_STARTS = 3


class WorkerPool:
    """Runs jobs. One worker is started with the first, and others, up to `workers`, once what waits is worth one.

    Many small jobs are not: on few processors a second worker takes from the first, and from the process that asks, what it
    gives (measured: evaluations of 0.1 ms by the thousand are served best by one, those of 0.6 ms and more by one for each
    processor). Those in between never fill a queue, so what is given behind other work counts too.
    """

    def __init__(
        self,
        *,
        workers: int,
        queue_limit: int,
        memory_limit: int,
        compile_deadline: float,
        patience: float,
        first: Launched | None = None,
    ) -> None:
        """first: one that was launched already, with this memory limit."""
        self._wanted = workers
        self._first = first
        self._memory_limit = memory_limit
        self._compile_deadline = compile_deadline
        self._patience = patience
        self._queue: FairQueue[Job] = FairQueue(queue_limit)
        self._seats: list[Seat] = []
        self._numbers = itertools.count(1)
        self._costs = Costs()
        self._watcher: asyncio.TimerHandle | None = None
        self._burials: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._usual = 0.0
        self._behind = self._behind_at = 0.0
        self._behind_since = (0.0, 0.0)
        self._dispatch_planned = False
        self._closed = False

    async def run(self, job: Job) -> bytes:
        """The answer's body. Raises EngineTimedOut, EngineCrashed, EngineBusy, EngineUnavailable."""
        if self._closed:
            raise EngineUnavailable("the engine is closed")
        self.start()
        self._plan_watch()
        job.queued_at = time.monotonic()
        refused = self._queue.push(job.share, job)
        if refused is not None:
            self._refuse(refused)
        if any(seat.idle for seat in self._seats):
            self._dispatch()  # somebody sits idle: nothing to gain from waiting for company
        else:
            self._plan_dispatch()
        return await job.answer

    def start(self) -> None:
        """Have a worker. Raises EngineUnavailable where the library is not installed."""
        if not self._seats:
            self._add_worker()

    async def close(self) -> None:
        """Stop everything; what waits is told so."""
        if self._first is not None:  # nothing was ever asked: it is ended as the others are
            self._add_worker()
        self._closed = True
        if self._watcher is not None:
            self._watcher.cancel()
        seats, self._seats = self._seats, []
        for job in (*(job for seat in seats for job in seat.jobs.values()), *self._queue):
            job.fail(EngineUnavailable("the engine was closed"))
        await together(*(seat.process.close() for seat in seats))
        for burial in list(self._burials):
            await burial

    def _add_worker(self) -> None:
        launched, self._first = self._first or launch(self._memory_limit), None
        process = WorkerProcess(launched, on_frame=self._on_frame, on_death=self._on_death)
        self._seats.append(Seat(process, compile_deadline=self._compile_deadline, number=self._numbers.__next__))

    def _grow(self) -> None:
        if len(self._seats) < self._wanted and all(seat.ready for seat in self._seats):
            self._add_worker()

    def _plan_dispatch(self) -> None:
        if not self._dispatch_planned:
            self._dispatch_planned = True
            running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Hand out what there is room for: next in fairness to the least loaded."""
        self._dispatch_planned = False
        while len(self._queue):
            free = [seat for seat in self._seats if seat.has_room]
            if not free:
                if len(self._queue) * self._usual > _WORTH_A_WORKER:
                    self._grow()
                return
            share, job = self._queue.pop()
            if job.answer.done():  # its caller gave up
                continue
            job.estimate = self._costs.of(job)
            self._queue.charge(share, job.estimate)
            seat = min(free, key=lambda seat: seat.hand)
            if seat.jobs:
                self._share(job)
            try:
                seat.give(job)
            except ValueError as problem:  # larger than a frame may be
                job.fail(EngineCrashed(str(problem)))

    def _share(self, job: Job) -> None:
        """The job comes behind others: with enough of that, another worker, unless this process is what holds all of them up."""
        now = time.monotonic()
        self._behind = max(0.0, self._behind - _FORGIVEN * (now - self._behind_at))
        if not self._behind:
            self._behind_since = (now, time.process_time())
        self._behind += job.estimate
        self._behind_at = now
        if self._behind > _BEHIND_FOR_LONG:
            self._behind = 0.0
            began, spent = self._behind_since
            if self._usual > _WORTH_SHARING and time.process_time() - spent < _BUSY * (now - began):
                self._grow()

    def _on_frame(self, process: WorkerProcess, kind: int, number: int, body: bytes) -> None:
        seat = next(seat for seat in self._seats if seat.process is process)
        if kind == Kind.READY:
            seat.ready = True
            self._failed_starts = 0
        else:
            settled = seat.settle(kind, number, body)
            if settled is not None:
                job, seconds = settled
                self._queue.charge(job.share, seconds - job.estimate)
                self._costs.learn(job, seconds)
                self._usual += _WEIGHT_OF_NEW * (seconds - self._usual)
            if seat.worn and seat.idle:
                seat.execute(Sentence.RETIRED)
        self._plan_dispatch()

    def _plan_watch(self) -> None:
        if self._watcher is None:
            self._watcher = running_loop().call_later(_WATCH_EVERY, self._watch)

    def _watch(self) -> None:
        """Deadlines, memory and patience, while there is anything to watch."""
        self._watcher = None
        if len(self._queue) or not all(seat.idle for seat in self._seats):
            self._plan_watch()
        now = time.monotonic()
        for seat in list(self._seats):
            if seat.sentence is None:
                self._look_at(seat, now)
        for job in [job for job in self._queue if now - job.queued_at > self._patience]:
            self._refuse(job)

    def _look_at(self, seat: Seat, now: float) -> None:
        if not seat.ready:
            if now - seat.born > _START_DEADLINE:
                seat.execute(Sentence.NO_START)
            return
        number, started = seat.process.at
        job = seat.jobs.get(number)
        if job is not None and now - started / 1e9 > job.deadline:
            if seat.suspect == number:
                seat.execute(Sentence.DEADLINE)
            seat.suspect = number  # its answer may lie unread because our own loop was late: look twice
        elif resident(seat.process.pid) > self._memory_limit:
            seat.execute(Sentence.MEMORY)

    def _on_death(self, process: WorkerProcess) -> None:
        seat = next((seat for seat in self._seats if seat.process is process), None)
        if seat is None:
            return
        self._seats.remove(seat)
        guilty, others = seat.killed_by()
        if guilty is not None:
            self._queue.charge(guilty.share, time.monotonic() - process.last[1] / 1e9 - guilty.estimate)
            guilty.fail(self._sentence(seat, guilty))
        for job in others:
            self._queue.charge(job.share, -job.estimate)
            if guilty is not None and guilty.kind == Kind.LOAD and job.digest == guilty.digest:
                job.fail(self._sentence(seat, guilty))
            elif not job.answer.done() and not job.implicit:
                self._queue.push_front(job.share, job)
        self._bury(process)
        self._replace(seat)

    def _bury(self, process: WorkerProcess) -> None:
        burial = running_loop().create_task(process.close())
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)

    def _sentence(self, seat: Seat, job: Job) -> EngineError:
        name = f"bundle '{job.bundle.name}'" if job.bundle is not None else "parsing"
        match seat.sentence:
            case Sentence.DEADLINE:
                what = "compiling" if job.kind == Kind.LOAD else "evaluating"
                return EngineTimedOut(f"{name}: {what} took longer than {job.deadline:g} s and was stopped")
            case Sentence.MEMORY:
                return EngineCrashed(f"{name}: used more than {self._memory_limit >> 20} MB of memory and was stopped")
            case _:
                return EngineCrashed(f"{name}: the worker died ({seat.process.complaint()})")

    def _replace(self, dead: Seat) -> None:
        """A new worker, unless three in a row did not even start: then whoever waits is told why, and the next call tries again."""
        self._failed_starts = 0 if dead.ready else self._failed_starts + 1
        if self._closed:
            return
        if self._failed_starts < _FAILED_STARTS:
            self.start()
            return
        self._failed_starts = 0
        while len(self._queue):
            self._queue.pop()[1].fail(EngineUnavailable(f"OPA's library does not start: {dead.process.complaint()}"))

    def _refuse(self, job: Job) -> None:
        seconds = sum(map(self._costs.of, self._queue)) / self._wanted
        job.fail(EngineBusy(f"{len(self._queue)} evaluations are waiting already", retry_after=min(30.0, max(1.0, seconds))))
