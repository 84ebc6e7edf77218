"""The embedded event-sourced engine on SQL: SQLite, PostgreSQL, MySQL and MariaDB."""

from gateway.durable.sql.core import SqlDurableCore

__all__ = ["SqlDurableCore"]
