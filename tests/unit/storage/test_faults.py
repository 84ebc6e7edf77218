"""What each driver's complaint means."""

from __future__ import annotations

import sqlite3

import psycopg
import pymysql
import pytest
from psycopg import errors as pg
from sqlalchemy import exc

from gateway.storage.faults import Fault, fault_of, first_line, unavailable


def sqlite_error(code):
    problem = sqlite3.OperationalError("complaint")
    problem.sqlite_errorcode = code
    return problem


def wrapped(original, *, gone=False):
    """As SQLAlchemy hands it on."""
    for name in (
        "IntegrityError",
        "DataError",
        "ProgrammingError",
        "NotSupportedError",
        "InterfaceError",
        "InternalError",
        "OperationalError",
    ):
        if any(kind.__name__ == name for kind in type(original).__mro__):
            return getattr(exc, name)("SELECT secret", {"name": "secret"}, original, connection_invalidated=gone)
    return exc.DatabaseError("SELECT secret", {"name": "secret"}, original, connection_invalidated=gone)


@pytest.mark.parametrize(
    ("original", "fault"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), Fault.PASSING),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), Fault.PASSING),
        (sqlite_error(sqlite3.SQLITE_LOCKED), Fault.PASSING),
        (sqlite_error(sqlite3.SQLITE_FULL), Fault.UNAVAILABLE),
        (sqlite_error(sqlite3.SQLITE_READONLY), Fault.UNAVAILABLE),
        (sqlite_error(sqlite3.SQLITE_IOERR), Fault.UNAVAILABLE),
        (sqlite3.DatabaseError("file is not a database"), Fault.UNAVAILABLE),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), Fault.DUPLICATE),
        (sqlite3.ProgrammingError("incorrect number of bindings"), Fault.OWN),
        (pg.DeadlockDetected("x"), Fault.PASSING),
        (pg.SerializationFailure("x"), Fault.PASSING),
        (pg.AdminShutdown("x"), Fault.PASSING),
        (pg.CannotConnectNow("x"), Fault.PASSING),
        (pg.TooManyConnections("x"), Fault.PASSING),
        (psycopg.OperationalError("connection refused"), Fault.PASSING),
        (pg.DiskFull("x"), Fault.UNAVAILABLE),
        (pg.ReadOnlySqlTransaction("x"), Fault.UNAVAILABLE),
        (pg.UndefinedTable("x"), Fault.UNAVAILABLE),
        (pg.UniqueViolation("x"), Fault.DUPLICATE),
        (pg.SyntaxError("x"), Fault.OWN),
        (psycopg.DataError("cannot contain NUL"), Fault.OWN),
        (pymysql.err.OperationalError(1213, "deadlock"), Fault.PASSING),
        (pymysql.err.OperationalError(1205, "lock wait timeout"), Fault.PASSING),
        (pymysql.err.OperationalError(2003, "cannot connect"), Fault.PASSING),
        (pymysql.err.OperationalError(2013, "lost"), Fault.PASSING),
        (pymysql.err.OperationalError(1114, "the table is full"), Fault.UNAVAILABLE),
        (pymysql.err.OperationalError(1290, "read-only"), Fault.UNAVAILABLE),
        (pymysql.err.ProgrammingError(1146, "no such table"), Fault.UNAVAILABLE),
        (pymysql.err.IntegrityError(1062, "duplicate"), Fault.DUPLICATE),
        (pymysql.err.DataError(1406, "too long"), Fault.OWN),
    ],
    ids=lambda value: f"{type(value).__name__}" if isinstance(value, Exception) else value.name.lower(),
)
def test_complaint_is_understood(original, fault):
    """By its code, since the drivers' classes disagree."""
    assert fault_of(wrapped(original)) is fault


def test_lost_connection_passes_whatever_the_words():
    """SQLAlchemy knows when a connection is gone."""
    assert fault_of(wrapped(pymysql.err.InterfaceError(0, ""), gone=True)) is Fault.PASSING


def test_caller_hears_the_databases_words_and_no_statement():
    """Neither the statement nor its values, which may be personal data."""
    problem = wrapped(psycopg.OperationalError("the disk is full\nDETAIL: secret"))
    told = unavailable(problem)
    assert first_line(problem) == "the disk is full"
    assert "secret" not in str(told)
    assert "disk space" in told.advice
    assert told.__cause__ is problem
