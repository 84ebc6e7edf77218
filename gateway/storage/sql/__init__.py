"""Storage on SQL: SQLite, PostgreSQL and MySQL by one SQLAlchemy adapter."""

from gateway.storage.sql.storage import SqlStorage

__all__ = ["SqlStorage"]
