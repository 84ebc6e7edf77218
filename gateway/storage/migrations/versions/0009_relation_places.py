"""Which relationship tuples a place of a forge holds, and what forges call what relations are about."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "relation_place",
        sa.Column("source", Exact, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name="pk_relation_place"),
        **IN_UTF8,
    )
    op.create_index("ix_relation_place_key", "relation_place", ["key"])
    op.create_table(
        "relation_name",
        sa.Column("key", Key, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_relation_name"),
        **IN_UTF8,
    )


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
