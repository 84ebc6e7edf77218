"""Signed heads of the chain, and the key the gateway makes for them where none is configured."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LongBytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_checkpoint"),
        **IN_UTF8,
    )
    op.create_table(
        "signing_key",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("private", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_signing_key"),
        **IN_UTF8,
    )


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
