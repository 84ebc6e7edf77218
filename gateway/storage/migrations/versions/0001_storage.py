"""Storage's tables, and the outbox between it and the durable core.

The types are written out: a migration stays what it was when the columns of the code move on.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
Digest = sa.String(71)
LongText = sa.Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
Counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Milliseconds = sa.BigInteger()
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    _what_is_kept()
    _decisions()
    _changes()
    _outbox()
    in_force = sa.table("generation_in_force", sa.column("one"), sa.column("number"))
    op.execute(in_force.insert().values(one=1, number=0))


def _what_is_kept() -> None:
    op.create_table(
        "blob",
        sa.Column("digest", Digest, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("content", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("digest", "part", name="pk_blob"),
        **IN_UTF8,
    )
    op.create_table(
        "delivery",
        sa.Column("key", Key, nullable=False),
        sa.Column("received_at", Milliseconds, nullable=False),
        sa.Column("body", Digest, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_delivery"),
        **IN_UTF8,
    )
    op.create_index("ix_delivery_received_at", "delivery", ["received_at"])
    op.create_table(
        "bundle",
        sa.Column("digest", Digest, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_bundle"),
        **IN_UTF8,
    )
    op.create_table(
        "generation",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_generation"),
        **IN_UTF8,
    )
    op.create_table(
        "generation_in_force",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_generation_in_force"),
        **IN_UTF8,
    )
    op.create_table(
        "api_token",
        sa.Column("name", Exact, nullable=False),
        sa.Column("hash", Exact, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_api_token"),
        sa.UniqueConstraint("hash", name="uq_api_token_hash"),
        **IN_UTF8,
    )


def _decisions() -> None:
    op.create_table(
        "decision",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("id", Exact, nullable=False),
        sa.Column("at", Milliseconds, nullable=False),
        sa.Column("connection", Exact),
        sa.Column("repository_key", Key),
        sa.Column("change_key", Key),
        sa.Column("number", sa.BigInteger()),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("facts", sa.String(16), nullable=False),
        sa.Column("facts_digest", Digest, nullable=False),
        sa.Column("substance", Key),
        sa.Column("confirmed_at", sa.String(32)),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_decision"),
        sa.UniqueConstraint("id", name="uq_decision_id"),
        **IN_UTF8,
    )
    op.create_index("ix_decision_at_ord", "decision", ["at", "ord"])
    op.create_index("ix_decision_connection_at_ord", "decision", ["connection", "at", "ord"])
    op.create_index("ix_decision_repository_key_at_ord", "decision", ["repository_key", "at", "ord"])
    op.create_index("ix_decision_outcome_at_ord", "decision", ["outcome", "at", "ord"])
    op.create_index("ix_decision_change_key_ord", "decision", ["change_key", "ord"])


def _changes() -> None:
    op.create_table(
        "tracked_change",
        sa.Column("key", Key, nullable=False),
        sa.Column("head_key", Key, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("updated_at", Milliseconds, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_tracked_change"),
        **IN_UTF8,
    )
    op.create_index("ix_tracked_change_head_key", "tracked_change", ["head_key"])
    op.create_index("ix_tracked_change_state_updated_at", "tracked_change", ["state", "updated_at"])
    op.create_index("ix_tracked_change_updated_at", "tracked_change", ["updated_at"])
    op.create_table(
        "report",
        sa.Column("key", Key, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_report"),
        **IN_UTF8,
    )


def _outbox() -> None:
    op.create_table(
        "dispatch",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("id", Exact, nullable=False),
        sa.Column("workflow_id", Exact, nullable=False),
        sa.Column("workflow_type", Exact),
        sa.Column("input", LongText, nullable=False),
        sa.Column("signal", Exact),
        sa.Column("payload", LongText, nullable=False),
        sa.Column("start_key", Exact),
        sa.Column("delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Milliseconds, nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_dispatch"),
        sa.UniqueConstraint("id", name="uq_dispatch_id"),
        **IN_UTF8,
    )
    op.create_index("ix_dispatch_taken_ord", "dispatch", ["taken", "ord"])


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
