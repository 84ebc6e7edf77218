"""What a database's complaint means to whoever was writing: try the same again, alone, later, or never.

The drivers disagree on classes, so their codes decide. Sources: postgresql.org/docs/current/errcodes-appendix.html,
mariadb.com/kb/en/mariadb-error-code-reference, sqlite.org/rescode.html.
"""

from __future__ import annotations

import sqlite3
from enum import Enum, auto

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from gateway.errors import DatabaseUnavailable


class Fault(Enum):
    """What may help."""

    PASSING = auto()
    """The same again, soon: a deadlock, a lost serialisation, a locked file, a server that is away. Nothing was committed."""
    DUPLICATE = auto()
    """The same again, once: another gateway may have written the key between our look and our write."""
    UNAVAILABLE = auto()
    """The same again, later: a full disk, a missing table, a file that may not be written or is none of ours."""
    OWN = auto()
    """Nothing: the statement itself is wrong."""


_POSTGRESQL_PASSING = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "53300",  # too_many_connections
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
}
_MYSQL_PASSING = {
    1040,  # too many connections
    1053,  # server shutdown in progress
    1205,  # lock wait timeout
    1213,  # deadlock
    2002,  # cannot connect by socket
    2003,  # cannot connect by TCP
    2006,  # server has gone away
    2013,  # lost connection during query
}
_MISSING_TABLE = {"42P01", 1146}  # SQLite has no code of its own for it, and says OperationalError
_SQLITE_PASSING = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED; the extended codes keep them in the low byte


def fault_of(problem: DBAPIError) -> Fault:
    """Classify one complaint."""
    if isinstance(problem, IntegrityError):
        return Fault.DUPLICATE
    if problem.connection_invalidated or _passing(problem.orig):
        return Fault.PASSING
    if isinstance(problem, (DataError, ProgrammingError, NotSupportedError)) and _code(problem.orig) not in _MISSING_TABLE:
        return Fault.OWN
    return Fault.UNAVAILABLE


def _passing(original: BaseException | None) -> bool:
    code = _code(original)
    if isinstance(original, sqlite3.Error):
        return isinstance(code, int) and code & 0xFF in _SQLITE_PASSING
    if code is None:  # libpq gives no state when it could not connect at all
        return type(original).__name__ == "OperationalError"
    return code in _POSTGRESQL_PASSING or code in _MYSQL_PASSING


def _code(original: BaseException | None) -> object:
    """SQLite's result code, PostgreSQL's SQLSTATE, MySQL's error number."""
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", None)
    if original is not None and original.args and isinstance(original.args[0], int):
        return original.args[0]
    return getattr(original, "sqlstate", None)


def as_raised(connection: Connection, text: str, problem: Exception) -> Exception:
    """What SQLAlchemy would raise for what a driver's own cursor complained of; a connection that is lost is let go of."""
    driver = connection.dialect.loaded_dbapi.Error
    if not isinstance(problem, driver):
        return problem
    lost = not connection.invalidated and connection.dialect.is_disconnect(problem, connection.connection.dbapi_connection, None)
    raised = DBAPIError.instance(text, None, problem, driver, connection_invalidated=lost, dialect=connection.dialect)
    if lost:
        connection.invalidate(problem)
    assert isinstance(raised, DBAPIError)
    return raised


def unavailable(problem: DBAPIError) -> DatabaseUnavailable:
    """What the caller hears: temporary, with the database's own first line."""
    error = DatabaseUnavailable(f"the database did not do it: {first_line(problem)}", advice=_advice(problem))
    error.__cause__ = problem
    return error


def first_line(problem: BaseException) -> str:
    """The driver's own words without SQLAlchemy's statement and parameters, which may hold personal data."""
    original = getattr(problem, "orig", None) or problem
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


def _advice(problem: DBAPIError) -> str | None:
    text = str(problem.orig).lower()
    if "no such table" in text or "does not exist" in text or "doesn't exist" in text:
        return "run: admit migrate"
    if "disk" in text and "full" in text:
        return "free some disk space; nothing that was acknowledged is lost"
    if fault_of(problem) is not Fault.PASSING:
        return None
    if isinstance(problem.orig, sqlite3.Error):
        return "another process holds the file locked: try again when it has ended"
    return "see that the database runs and answers, then try again; nothing that was acknowledged is lost"
