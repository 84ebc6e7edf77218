"""A unit of prepared statements in as few round trips as it has looks: BEGIN goes out with the first, the writes with COMMIT.

PostgreSQL only: elsewhere a unit is sent statement by statement. One that is alone costs a round trip for each statement
otherwise; many at once share their transaction, and gain nothing.

https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.storage.faults import as_raised, first_line

T = TypeVar("T")

_SWALLOWED = "a unit of work swallowed a database error; nothing is kept"


class InDoubt(Exception):
    """The connection went away between COMMIT and its answer: to repeat might do everything twice."""

    def __init__(self, problem: DBAPIError) -> None:
        super().__init__(f"lost while it was committing, which may or may not have happened: {first_line(problem)}")


def can_pipeline(connection: Connection) -> bool:
    """Whether this database's driver can send on before it has heard."""
    return connection.dialect.name == "postgresql"


def in_one_go(connection: Connection, work: Callable[[Connection], tuple[T, bool]]) -> T:
    """Run `work`, which is nothing but `Prepared` statements, in a transaction of its own; commit it if its second answer says so.

    Raises what `work` raises, DBAPIError for a statement nobody waited for, both with nothing committed; or InDoubt.
    """
    driver: Any = connection.connection.driver_connection
    connection.begin()
    driver.autocommit = True  # so that BEGIN is ours to send, together with what follows it
    wanted, wrong = False, None
    try:
        with driver.pipeline():
            try:
                driver.execute("BEGIN")
                result, wanted = work(connection)
                if wanted:
                    driver.execute("COMMIT")
            except Exception as problem:  # whatever it is, the pipeline ends first, and may have more to say
                wrong = problem
    except connection.dialect.loaded_dbapi.Error as problem:
        if wanted or _first(problem, connection) is not None:  # else work was told of it, and has answered for it
            wrong = wrong or problem
    if wrong is not None:
        raised = as_raised(connection, "COMMIT", _first(wrong, connection) or RuntimeError(_SWALLOWED))
        _undo(connection, driver)
        if wanted and isinstance(raised, DBAPIError) and raised.connection_invalidated:
            raise InDoubt(raised) from wrong
        raise raised from wrong
    committed = driver.info.transaction_status.name == "IDLE"
    _undo(connection, driver)
    if wanted and not committed:
        raise RuntimeError(_SWALLOWED)
    return result


def _first(problem: BaseException | None, connection: Connection) -> Exception | None:
    """What went wrong before all that follows was left undone for it: the driver tells of the last. None: it was told earlier."""
    aborted: type[Exception] = connection.dialect.loaded_dbapi.errors.PipelineAborted
    while isinstance(problem, aborted):
        problem = problem.__context__
    return problem if isinstance(problem, Exception) else None


def _undo(connection: Connection, driver: Any) -> None:
    """What has not been committed; then the connection is again as SQLAlchemy knows it."""
    try:
        connection.rollback()
        if not connection.invalidated:
            driver.autocommit = False
    except (DBAPIError, connection.dialect.loaded_dbapi.Error):
        connection.invalidate()
