"""The writer's thread: units of work, one after another, committed in groups.

Whatever came in while a group was being committed is the next group. Under load commits per second stay few while units
per second grow; with one caller a unit is one transaction. Units that share their work are one call of it within a group,
so that statements for a hundred rows cost little more than those for one.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.errors import DatabaseUnavailable
from gateway.storage.faults import Fault, fault_of, unavailable
from gateway.storage.pipelined import InDoubt, can_pipeline, in_one_go
from gateway.storage.prepared import tell

_GROUP_LIMIT = 256
_WAITING_LIMIT = 20_000


_OUTBOX = "admit_outbox_written"


def note_outbox(connection: Connection) -> None:
    """Say in a unit of work that it wrote to the outbox: listeners are told once that is committed (or for nothing)."""
    connection.info[_OUTBOX] = True


@dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """One piece of work and who waits for it.

    prepared: it runs nothing but `Prepared` statements.
    shared: work and item, where one call of the work does it for many items at once, with one result for each in order.
    """

    work: Callable[[Connection], Any]
    loop: AbstractEventLoop
    waiter: Future[Any]
    prepared: bool = False
    shared: tuple[Callable[[Connection, Sequence[Any]], Sequence[Any]], Any] | None = None
    repeated: bool = False

    @property
    def kind(self) -> object:
        """Equal for units that may be done in one call."""
        return self if self.shared is None else self.shared[0]


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


_Outcome: TypeAlias = _Done | BaseException


class Writer:
    """Runs units until `close`. `patience`: seconds a group is tried again while the database is locked or away."""

    def __init__(self, engine: Engine, *, patience: float) -> None:
        self._engine = engine
        self._patience = patience
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self.listeners: tuple[Callable[[], None], ...] = ()
        self._lock = threading.Lock()
        self._closed = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> None:
        """Queue it. Raises DatabaseUnavailable when closed, or when too much waits already."""
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("the database has been closed")
            if self._units.qsize() >= _WAITING_LIMIT:
                raise DatabaseUnavailable(f"{_WAITING_LIMIT} writes are waiting already", retry_after=5.0)
            self._units.put(unit)

    def close(self) -> None:
        """Commit what was handed in, and end the thread. Blocks."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._units.put(None)
        self._thread.join()

    # --- on the thread -----------------------------------------------------------------

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)
        self._let_go()

    def _next_group(self) -> list[Unit] | None:
        first = self._units.get()
        if first is None:
            return None
        group = [first]
        while len(group) < _GROUP_LIMIT:
            try:
                unit = self._units.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                self._units.put(None)  # closing: seen again after this group
                break
            group.append(unit)
        return group

    def _commit(self, group: Sequence[Unit]) -> None:
        """Together if it goes; one by one where together fails, so that nobody pays for another's fault."""
        wanted = [unit for unit in group if not unit.waiter.cancelled()]
        if not wanted:
            return
        try:
            outcomes = self._patiently(wanted)
        except DBAPIError as problem:
            if len(wanted) > 1 and fault_of(problem) is not Fault.PASSING:
                for unit in wanted:
                    self._commit([unit])
                return
            outcomes = [unavailable(problem) for _ in wanted]
        except InDoubt as problem:
            outcomes = [DatabaseUnavailable(str(problem)) for _ in wanted]
        except Exception as problem:  # the thread's edge: whoever waits must hear of it, and the thread must live on
            outcomes = [problem for _ in wanted]
        settled: list[tuple[Unit, _Outcome]] = []
        for unit, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, IntegrityError) and not unit.repeated:
                unit.repeated = True
                self._commit([unit])
            else:
                settled.append((unit, outcome))
        _deliver(settled)

    def _patiently(self, group: Sequence[Unit]) -> list[_Outcome]:
        """One committed transaction, repeated while the fault may pass. Raises DBAPIError with nothing committed."""
        deadline = time.monotonic() + self._patience
        pause = 0.01
        while True:
            try:
                return self._transaction(group)
            except DBAPIError as problem:
                if fault_of(problem) is not Fault.PASSING or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def _transaction(self, group: Sequence[Unit]) -> list[_Outcome]:
        """Raises DBAPIError with nothing committed, or InDoubt."""
        try:
            return self._on(self._connected(), group)
        except BaseException:
            self._let_go()
            raise

    def _connected(self) -> Connection:
        """One connection, kept from group to group: to ask the pool each time costs a round trip. A server that has gone
        away meanwhile is noticed by the first statement, and nothing has been committed then."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):  # it is broken: that is why
                connection.close()

    def _on(self, connection: Connection, group: Sequence[Unit]) -> list[_Outcome]:
        alone = len(group) == 1
        if alone and group[0].prepared and can_pipeline(connection):
            return [_in_one_go(connection, group[0])]
        connection.begin()
        outcomes = [_alone(connection, group[0])] if alone else _as_a_whole(connection, group) or _each(connection, group)
        if alone and not isinstance(outcomes[0], _Done):
            connection.rollback()
            return outcomes
        _refuse_to_commit_a_failed_one(connection)
        try:
            connection.commit()
        except DBAPIError as problem:
            if problem.connection_invalidated:
                raise InDoubt(problem) from problem
            raise
        if connection.info.pop(_OUTBOX, False):
            for told in self.listeners:
                told()
        return outcomes


def _in_one_go(connection: Connection, unit: Unit) -> _Outcome:
    def work(connection: Connection) -> tuple[_Outcome, bool]:
        outcome = _alone(connection, unit)
        return outcome, isinstance(outcome, _Done)

    try:
        return in_one_go(connection, work)
    except DBAPIError as problem:
        if fault_of(problem) in {Fault.PASSING, Fault.UNAVAILABLE}:
            raise
        return problem  # of a statement nobody waited for


def _as_a_whole(connection: Connection, group: Sequence[Unit]) -> list[_Outcome] | None:
    """What became of a group that is of one kind, in one call that needs no savepoint; None where it is of several."""
    if len({unit.kind for unit in group}) > 1:
        return None
    outcome = _alone(connection, _in_one(group))
    if isinstance(outcome, _Done):
        return outcome.result  # type: ignore[no-any-return]
    connection.rollback()
    connection.begin()
    return [_saved(connection, unit) for unit in group]


def _each(connection: Connection, group: Sequence[Unit]) -> list[_Outcome]:
    """What became of each unit of a group. Neighbours that share their work are one call, unless that fails."""
    outcomes: list[_Outcome] = []
    for _, neighbours in itertools.groupby(group, lambda unit: unit.kind):
        units = list(neighbours)
        together = _saved(connection, _in_one(units)) if len(units) > 1 else None
        outcomes += together.result if isinstance(together, _Done) else [_saved(connection, unit) for unit in units]
    return outcomes


def _in_one(units: Sequence[Unit]) -> Unit:
    """Units of one kind as one, whose result is the outcome of each."""
    shared = [unit.shared for unit in units if unit.shared is not None]

    def work(connection: Connection) -> list[_Outcome]:
        results = shared[0][0](connection, [item for _, item in shared])
        return [_Done(result) for _, result in zip(units, results, strict=True)]

    return Unit(work=work, loop=units[0].loop, waiter=units[0].waiter)


def _saved(connection: Connection, unit: Unit) -> _Outcome:
    """Run one unit of a group inside a savepoint. By the driver: SQLAlchemy's own costs as much as the unit's statements."""
    tell(connection, "SAVEPOINT unit")
    outcome = _alone(connection, unit)
    if not isinstance(outcome, _Done):
        tell(connection, "ROLLBACK TO SAVEPOINT unit")
    tell(connection, "RELEASE SAVEPOINT unit")
    return outcome


def _alone(connection: Connection, unit: Unit) -> _Outcome:
    """Run one unit: its own failure is returned, what goes wrong with the database as a whole is raised."""
    try:
        return _Done(unit.work(connection))
    except DBAPIError as problem:
        if fault_of(problem) in {Fault.PASSING, Fault.UNAVAILABLE}:
            raise
        return problem
    except StopIteration as problem:  # no future can carry one
        return RuntimeError(f"a unit of work raised StopIteration: {problem}")
    except BaseException as problem:  # whatever a unit raises belongs to its caller, not to the writer
        return problem


def _refuse_to_commit_a_failed_one(connection: Connection) -> None:
    """PostgreSQL answers COMMIT after a swallowed error with a silent ROLLBACK, and we would acknowledge what is lost."""
    status = getattr(getattr(connection.connection.driver_connection, "info", None), "transaction_status", None)
    if getattr(status, "name", None) == "INERROR":
        raise RuntimeError("a unit of work swallowed a database error, which takes a savepoint of its own; nothing is kept")


def _deliver(settled: Sequence[tuple[Unit, _Outcome]]) -> None:
    """Wake those who wait: each loop once for all of its units."""
    by_loop: dict[AbstractEventLoop, list[tuple[Unit, _Outcome]]] = {}
    for unit, outcome in settled:
        by_loop.setdefault(unit.loop, []).append((unit, outcome))
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(settled: Sequence[tuple[Unit, _Outcome]]) -> None:
    for unit, outcome in settled:
        if unit.waiter.done():
            continue
        if isinstance(outcome, _Done):
            unit.waiter.set_result(outcome.result)
        else:
            unit.waiter.set_exception(outcome)
            unit.waiter.exception()  # heard: a caller cancelled at this very moment is not worth a complaint
