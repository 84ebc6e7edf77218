"""The floor storage and the durable engine share: one SQL database, one writer with group commit, many readers.

A **unit of work** is a plain function of a SQLAlchemy connection. Units handed to `write` from many tasks are run one
after another on the writer's thread, each inside a savepoint of its own, and committed together; `write` returns only
after that commit. A unit that raises is undone alone.

What may pass is sat out: deadlocks, lost serialisations, a file another process has locked, a server that is away
(`patience` seconds). A unit may therefore run more than once before it commits, also after a duplicate key, since
another gateway may have written it between our look and our write: **a unit does nothing but SQL**. A connection lost
while committing is not repeated but raised: whoever repeats must do so under a key of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.errors import DatabaseUnavailable
from gateway.storage.engines import for_writing, open_engine
from gateway.storage.faults import Fault, fault_of, unavailable
from gateway.storage.writer import Unit, Writer

T = TypeVar("T")
Item = TypeVar("Item")

_READERS = 8


class Database:
    """One database, opened. `url` is SQLAlchemy's (`sqlite:///admit.db`, `postgresql://…`, `mysql://…`).

    patience: seconds a write waits for a database that is locked or away before it raises DatabaseUnavailable.
    """

    def __init__(self, url: str, *, patience: float = 15.0) -> None:
        self.engine = open_engine(url, connections=_READERS + 2)
        self.dialect = self.engine.dialect.name
        self._writing = for_writing(self.engine)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="database-reader")
        self._writer = Writer(self._writing, patience=patience)
        self._coming: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
        self._closed = False

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told` called, on the writer's thread, after each commit that wrote to the outbox; the answer ends that."""
        self._writer.listeners += (told,)

        def end() -> None:
            self._writer.listeners = tuple(each for each in self._writer.listeners if each is not told)

        return end

    async def write(self, work: Callable[[Connection], T], *, prepared: bool = False) -> T:
        """Run the unit and return its result once it is committed. Raises what it raised, or DatabaseUnavailable.

        prepared: the unit runs nothing but `Prepared` statements, and may be sent in one go.
        Cancelled while waiting, the unit may or may not be committed; one that has not begun is not.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._hand_in(Unit(work=work, loop=loop, waiter=waiter, prepared=prepared))
        return await waiter

    async def write_each(self, work: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """As `write`, by one call for all the items that are handed in for this same work meanwhile: a result for each, in order.

        Where that call raises, each of its items is written by a call of its own, so that nobody pays for another's fault.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._hand_in(Unit(work=lambda connection: work(connection, [item])[0], loop=loop, waiter=waiter, shared=(work, item)))
        return await waiter

    def _hand_in(self, unit: Unit) -> None:
        """What comes in one turn of the loop is handed to the writer at its end: then it is one group, not a first and a rest."""
        units = self._coming.setdefault(unit.loop, [])
        units.append(unit)
        if len(units) == 1:
            unit.loop.call_soon(self._hand_over, unit.loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        for unit in self._coming.pop(loop, ()):
            try:
                self._writer.submit(unit)
            except DatabaseUnavailable as problem:
                if not unit.waiter.done():
                    unit.waiter.set_exception(problem)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a read-only unit on a reader's thread. Raises what it raised, or DatabaseUnavailable."""
        if self._closed:
            raise DatabaseUnavailable("the database has been closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.engine.connect() as connection:
                return work(connection)
        except DBAPIError as problem:
            if fault_of(problem) in {Fault.PASSING, Fault.UNAVAILABLE}:
                raise unavailable(problem) from problem
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One writing transaction on the caller's thread, beside the writer: for migrations, not for daily work."""
        try:
            with self._writing.begin() as connection:
                yield connection
        except DBAPIError as problem:
            if fault_of(problem) in {Fault.PASSING, Fault.UNAVAILABLE}:
                raise unavailable(problem) from problem
            raise

    async def close(self) -> None:
        """Commit what was handed in, then let go. A second time changes nothing."""
        self._closed = True
        self._hand_over(asyncio.get_running_loop())
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._writer.close()
        self._readers.shutdown(wait=True)
        self.engine.dispose()
