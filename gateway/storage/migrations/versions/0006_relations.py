"""Relationship tuples and models, and the sequence of their changes."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    head = op.create_table(
        "relations_head",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_relations_head"),
        **IN_UTF8,
    )
    op.execute(head.insert().values(one=1, sequence=0, model=0))
    op.create_table(
        "relation_model",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_relation_model"),
        **IN_UTF8,
    )
    op.create_table(
        "relation_tuple",
        sa.Column("key", Key, nullable=False),
        sa.Column("ord", sa.BigInteger(), nullable=False),
        sa.Column("object_key", Key, nullable=False),
        sa.Column("place_key", Key, nullable=False),
        sa.Column("user_key", Key, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_relation_tuple"),
        sa.UniqueConstraint("ord", name="uq_relation_tuple_ord"),
        **IN_UTF8,
    )
    for column in ("object_key", "place_key", "user_key"):
        op.create_index(f"ix_relation_tuple_{column}_ord", "relation_tuple", [column, "ord"])
    op.create_table(
        "relation_change",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_relation_change"),
        **IN_UTF8,
    )


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
