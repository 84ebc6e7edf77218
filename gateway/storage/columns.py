"""Column types and the one metadata every table of the gateway is part of, storage's and the durable core's.

Times are BIGINT milliseconds since the epoch, UTC: MySQL's FLOAT has 24 bits, and databases differ on zones.
JSON is text or bytes in canonical form, never a JSON column: databases reorder those, and refuse NUL.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.dialects import mysql

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

Name = String(191)
"""Short enough for every index of every database at four bytes a character."""
ExactName = String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
"""Compared byte by byte everywhere; MySQL's default collation ignores case."""
Key = String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
"""A hash in hex that stands for free text of any length and content (`gateway.storage.keys`)."""
LongText = Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
LongBytes = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
Milliseconds = BigInteger()
Sequence = BigInteger().with_variant(Integer(), "sqlite")
"""A key the database counts; SQLite counts only INTEGER."""


def to_ms(moment: datetime) -> int:
    """Aware datetime → milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """Milliseconds since the epoch → aware datetime, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
