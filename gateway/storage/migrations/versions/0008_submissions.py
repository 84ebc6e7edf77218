"""Submissions, what people said to what waits for them, and where changes landed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
Counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "landing",
        sa.Column("key", Key, nullable=False),
        sa.Column("commit_key", Key, nullable=False),
        sa.Column("document", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_landing"),
        **IN_UTF8,
    )
    op.create_index("ix_landing_commit_key", "landing", ["commit_key"])
    op.create_table(
        "approval",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("about_key", Key, nullable=False),
        sa.Column("document", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_approval"),
        **IN_UTF8,
    )
    op.create_index("ix_approval_about_key_ord", "approval", ["about_key", "ord"])
    op.create_table(
        "submission",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("id", Exact, nullable=False),
        sa.Column("asked_under", Key, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("workflow", Exact, nullable=False),
        sa.Column("target", Exact, nullable=False),
        sa.Column("subject_key", Key, nullable=False),
        sa.Column("document", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_submission"),
        sa.UniqueConstraint("id", name="uq_submission_id"),
        sa.UniqueConstraint("asked_under", name="uq_submission_asked_under"),
        **IN_UTF8,
    )
    for first in ("state", "workflow", "target", "subject_key"):
        op.create_index(f"ix_submission_{first}_at_ord", "submission", [first, "at", "ord"])
    op.create_index("ix_submission_at_ord", "submission", ["at", "ord"])


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
