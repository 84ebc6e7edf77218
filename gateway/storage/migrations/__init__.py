"""Migrations: one linear history for everything in the database, storage's and the durable core's.

They need no alembic.ini: the history ships inside the package. Each runs inside one transaction where the database can
(SQLite, PostgreSQL), and two gateways that start at once do not run them twice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from gateway.errors import DatabaseOutdated
from gateway.storage.database import Database

_LOCK = 0x61646D6974  # "admit"
_MYSQL_LOCK = "CONCAT('admit-', MD5(DATABASE()))"  # a server's locks are shared by its databases; a name is at most 64 long
_LOCK_LIMIT = 300


class SchemaState(StrEnum):
    """How the database's schema stands to this code."""

    EMPTY = "empty"
    OUTDATED = "outdated"
    CURRENT = "current"
    NEWER = "newer"


def migrate(database: Database, *, to: str = "head") -> SchemaState:
    """Bring the schema to this code's (or up to the revision `to`), from whatever it is; what it was before. Blocks.

    Raises DatabaseOutdated for a database a newer version has migrated already, and DatabaseUnavailable.
    """
    with database.transaction() as connection, _alone(connection):
        before = schema_state(connection)
        if before is SchemaState.NEWER:
            raise newer()
        if before is not SchemaState.CURRENT:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    return before


def schema_state(connection: Connection) -> SchemaState:
    """How the schema this connection sees stands to this code."""
    found = MigrationContext.configure(connection).get_current_heads()
    if not found:
        return SchemaState.EMPTY
    newest, known = _revisions()
    if set(found) == newest:
        return SchemaState.CURRENT
    return SchemaState.OUTDATED if set(found) <= known else SchemaState.NEWER


def require_current(connection: Connection) -> None:
    """Raises DatabaseOutdated, with what to do, unless the schema is this code's."""
    match schema_state(connection):
        case SchemaState.CURRENT:
            return
        case SchemaState.NEWER:
            raise newer()
        case SchemaState.EMPTY:
            raise DatabaseOutdated("the database is empty", advice="run: admit migrate")
        case SchemaState.OUTDATED:
            raise DatabaseOutdated("the database is older than this version of admit", advice="run: admit migrate")


def history() -> ScriptDirectory:
    """The migrations that ship with this code."""
    return ScriptDirectory.from_config(_config())


@functools.cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """The newest revision and all of them. Read once: readiness is asked every few seconds."""
    script = history()
    return frozenset(script.get_heads()), frozenset(revision.revision for revision in script.walk_revisions())


def newer() -> DatabaseOutdated:
    """The error for a database from the future."""
    return DatabaseOutdated("the database is newer than this version of admit", advice="update admit; migrations do not run backwards")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One migrating gateway at a time. SQLite's writing transaction is such a lock by itself."""
    match connection.dialect.name:
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield
        case "mysql" | "mariadb":
            if connection.scalar(text(f"SELECT GET_LOCK({_MYSQL_LOCK}, :limit)"), {"limit": _LOCK_LIMIT}) != 1:
                raise DatabaseOutdated("another process has been migrating this database for minutes", advice="wait for it, then try again")
            try:
                yield
                connection.exec_driver_sql("COMMIT")  # whoever has the lock next must find what was done
            finally:
                connection.execute(text(f"SELECT RELEASE_LOCK({_MYSQL_LOCK})"))
        case _:
            yield
