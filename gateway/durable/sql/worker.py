"""What runs workflows in this process: takes dispatches, claims what is due, keeps alive, lets go.

Two loops. One looks for work whenever something wakes it, something falls due, or the poll has passed. The other beats,
watches the other processes' beats, and takes over from the dead. Finding that others took *us* for dead, it starts
again under a new name: everything held under the old one is fenced off already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog
from sqlalchemy import Connection

from gateway.domain.dispatch import Dispatch
from gateway.durable.port import Activity, DurableError, Workflow, WorkflowRun
from gateway.durable.retention import PORTION, RETIRING
from gateway.durable.sql.claims import backlog, counters, load, next_wake, release
from gateway.durable.sql.clock import Clock, elapsed
from gateway.durable.sql.inbox import read_inboxes
from gateway.durable.sql.journal import Journal
from gateway.durable.sql.keeping import retire
from gateway.durable.sql.openings import Openings
from gateway.durable.sql.presence import Presence
from gateway.durable.sql.resident import Resident, Surroundings
from gateway.durable.sql.rounds import work_round
from gateway.durable.stepping import Received
from gateway.durable.tally import Tally
from gateway.errors import DatabaseUnavailable
from gateway.storage.database import Database
from gateway.storage.dispatches import has_dispatches
from gateway.storage.migrations import require_current

log = structlog.get_logger(__name__)

_STRAY = 5.0
"""Seconds a run rests that left memory by a fault of the engine."""


class Worker:
    """One process's share of the work. `on_end` is told every run that ends here and has no successor."""

    def __init__(
        self,
        *,
        database: Database,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
        clock: Clock,
        name: str | None,
        poll: float,
        lease: float,
        concurrency: int,
        backlog: int,
        retention: float | None,
        on_end: Callable[[WorkflowRun], None],
    ) -> None:
        self._database = database
        self._workflows = workflows
        self.tally = Tally(activities)
        self._clock = clock
        self._poll = poll
        self._lease = lease
        self._concurrency = concurrency
        self._backlog = backlog
        self._retention = retention
        self._next_retiring = elapsed()
        self._full = False
        self._on_end = on_end
        self._residents: dict[str, Resident] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._awake = asyncio.Event()
        self._presence = Presence(database, clock, name=name, lease=lease)
        self._claiming = asyncio.Lock()
        self._doubtful = asyncio.Event()
        self._more_waits = False
        self._stopping = False

    # --- from outside ----------------------------------------------------------------------

    async def start(self) -> None:
        """Become known, then begin to take work. Raises DatabaseOutdated for a schema that is not this code's."""
        await self._database.read(require_current)
        self._stopping = False
        await self._become_known()
        await self._presence.take_over()
        self._loops = [asyncio.create_task(self._look_for_work()), asyncio.create_task(self._keep_alive())]

    async def stop(self, grace: float) -> None:
        """Take no more; attempts under way have `grace` seconds; the rest is handed over."""
        if not self._loops:
            return
        self._stopping = True
        for resident in self._residents.values():
            resident.leave()
        await self._gone(grace)
        for resident in self._residents.values():
            resident.leave(at_once=True)
        await self._gone(max(1.0, self._lease))
        for task in [*self._loops, *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)
        self._loops = []
        with suppress(DatabaseUnavailable):  # then others notice by our silence
            await self._presence.end()

    def require_alive(self) -> None:
        """Raises DurableError unless both loops run."""
        if self._stopping or not self._loops:
            raise DurableError("the durable core has not been started, or has been stopped")
        if any(task.done() for task in self._loops):
            raise DurableError("a loop of the durable core has died; the log says why")

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    @property
    def full(self) -> bool:
        """More waits than may: starts should come back later."""
        return self._full

    def holds(self, workflow_id: str) -> bool:
        """True if a run of it is in memory here."""
        return any(resident.claimed.workflow_id == workflow_id for resident in self._residents.values())

    async def accept(self, batch: Sequence[Dispatch]) -> None:
        """Commit these dispatches, carry them out, and begin at once with what there is room for."""
        async with self._claiming:
            await self._work(batch)

    def signalled(self, run_ids: Collection[str]) -> None:
        """These runs' inboxes grew."""
        for run_id in run_ids:
            if run_id in self._residents:
                self._residents[run_id].signalled()

    # --- looking for work --------------------------------------------------------------------

    async def _look_for_work(self) -> None:
        while not self._stopping:
            try:
                async with self._claiming:
                    seconds = await self._round()
            except DatabaseUnavailable as problem:
                log.warning("the durable core waits for the database", problem=str(problem))
                seconds = self._poll
            except Exception:  # the loop's edge: it has to outlive whatever goes wrong in one round
                log.exception("the durable core could not look for work")
                seconds = max(self._poll, 1.0)
            if seconds > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._awake.wait()
            self._awake.clear()

    async def _round(self) -> float:
        """Look for what there is and take it; seconds until the next look."""
        waiting, next_at, ours = await self._database.read(self._survey)
        await self._compare(ours)
        now, room = self._clock.now_ms(), self._room
        self._full = room <= 0 and await self._database.read(partial(backlog, now_ms=now, limit=self._backlog)) >= self._backlog
        if waiting or (next_at is not None and next_at <= now and room > 0):
            await self._work([])
            return self._poll if self._doubtful.is_set() else 0
        until_next = self._poll if next_at is None or room <= 0 else (next_at - now) / 1000
        return min(self._poll, max(until_next, 0.001))

    @property
    def _room(self) -> int:
        """How many runs more fit into memory; none while we are not at work."""
        return 0 if self._stopping or not self._loops else self._concurrency - len(self._residents)

    async def _work(self, batch: Sequence[Dispatch]) -> None:
        """One round of taking work. Only ever one at a time: what is claimed and not yet here would look like a stray."""
        room, now_ms, openings = self._room, self._clock.now_ms(), Openings()
        openings.prepare(batch[: max(room, 0)], self._workflows, now_ms)
        try:
            work = partial(work_round, batch=batch, prepared=openings.runs, owner=self._presence.owner, now_ms=now_ms, room=room)
            done = await self._database.write(work, prepared=True)
            for each in done.fresh:
                self._admit(Resident(each, self._around, openings.take(each.run_id)))
        finally:
            openings.close()
        self._more_waits = done.full
        if done.buried:
            self._doubtful.set()
        self.signalled(done.signalled)
        for each in await self._database.read(partial(load, claimed=done.known)) if done.known else []:
            self._admit(Resident(each, self._around))
        if (done.signalled | done.started) - self._residents.keys():
            self.wake()  # what is not here falls due at some time

    def _survey(self, connection: Connection) -> tuple[bool, int | None, dict[str, int]]:
        return has_dispatches(connection), next_wake(connection), counters(connection, self._presence.owner)

    async def _compare(self, ours: Mapping[str, int]) -> None:
        """Tell our runs what others put into their inboxes; let go of runs that are ours but not here (a fault took them)."""
        for run_id, counter in ours.items():
            if run_id in self._residents:
                self._residents[run_id].signalled(counter)
        strays = [run_id for run_id in ours if run_id not in self._residents]
        if strays:
            again = self._clock.now_ms() + round(_STRAY * 1000)
            await self._database.write(partial(release, owner=self._presence.owner, run_ids=strays, now_ms=again))

    def _admit(self, resident: Resident) -> None:
        self._residents[resident.run_id] = resident
        task = asyncio.create_task(resident.run(), name=f"workflow {resident.claimed.workflow_id}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._left, resident=resident))
        if self._stopping:
            resident.leave()  # claimed while we were told to stop

    def _left(self, task: asyncio.Task[None], resident: Resident) -> None:
        workflow_id = resident.claimed.workflow_id
        self._tasks.discard(task)
        if self._residents.get(resident.run_id) is resident:
            del self._residents[resident.run_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("run left memory by a fault of the engine", workflow=workflow_id, run=resident.run_id, exc_info=task.exception())
        if resident.ended_as is not None:
            self._on_end(resident.ended_as)
        if self._more_waits or resident.ended_as is None:
            self.wake()

    async def _gone(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=seconds)

    # --- being alive ---------------------------------------------------------------------------

    async def _keep_alive(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease / 4):
                    await self._doubtful.wait()
            self._doubtful.clear()
            try:
                if not await self._presence.beat():
                    await self._start_again()
                if await self._presence.take_over():
                    self.wake()
                await self._retire()
            except DatabaseUnavailable as problem:
                log.warning("no sign of life could be given", problem=str(problem))
            except Exception:  # the loop's edge: it has to outlive whatever goes wrong in one round
                log.exception("no sign of life could be given")

    async def _become_known(self) -> None:
        owner = await self._presence.begin()
        self._around = Surroundings(
            workflows=self._workflows,
            tally=self.tally,
            journal=Journal(self._database, owner),
            clock=self._clock,
            slots=asyncio.Semaphore(self._concurrency),
            read_inbox=self._read_inbox,
        )

    async def _start_again(self) -> None:
        log.warning("others took this process for dead: letting go of its runs", owner=self._presence.owner, runs=len(self._residents))
        for task in list(self._tasks):
            task.cancel()
        await self._gone(self._lease)
        await self._become_known()
        self.wake()

    async def _retire(self) -> None:
        """Forget what is old enough, a portion at each beat, until nothing is for a while."""
        if self._retention is None or elapsed() < self._next_retiring:
            return
        before = self._clock.now_ms() - round(self._retention * 1000)
        if await self._database.write(partial(retire, before_ms=before, limit=PORTION)) < PORTION:
            self._next_retiring = elapsed() + RETIRING

    async def _read_inbox(self, run_id: str) -> tuple[int, list[Received]]:
        """Waits for as long as the database does not answer: what the run has under way is not to be lost for that."""
        while True:
            with suppress(DatabaseUnavailable):
                return (await self._database.read(partial(read_inboxes, run_ids=[run_id])))[run_id]
            await asyncio.sleep(self._poll)
