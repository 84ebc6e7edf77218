"""The durable engine's tables: runs, their histories, their inboxes, and the processes that run them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
Counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Milliseconds = sa.BigInteger()
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    _runs()
    op.create_table(
        "workflow_event",
        sa.Column("run_id", Exact, nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Milliseconds, nullable=False),
        sa.Column("kind", Exact, nullable=False),
        sa.Column("attributes", LongText, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sequence", name="pk_workflow_event"),
        **IN_UTF8,
    )
    op.create_table(
        "workflow_inbox",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("run_id", Exact, nullable=False),
        sa.Column("name", Exact, nullable=False),
        sa.Column("payload", LongText, nullable=False),
        sa.Column("control", sa.Boolean(), nullable=False),
        sa.Column("start_type", Exact),
        sa.Column("start_input", LongText),
        sa.PrimaryKeyConstraint("ord", name="pk_workflow_inbox"),
        sqlite_autoincrement=True,
        **IN_UTF8,
    )
    op.create_index("ix_workflow_inbox_run_id_ord", "workflow_inbox", ["run_id", "ord"])
    op.create_table(
        "workflow_owner",
        sa.Column("owner", Exact, nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", Milliseconds, nullable=False),
        sa.Column("machine", Exact),
        sa.Column("process", Exact),
        sa.PrimaryKeyConstraint("owner", name="pk_workflow_owner"),
        **IN_UTF8,
    )


def _runs() -> None:
    op.create_table(
        "workflow_run",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("run_id", Exact, nullable=False),
        sa.Column("workflow_id", Exact, nullable=False),
        sa.Column("live", Exact),
        sa.Column("start_key", Exact),
        sa.Column("type", Exact, nullable=False),
        sa.Column("status", Exact, nullable=False),
        sa.Column("wake_at", Milliseconds),
        sa.Column("owner", Exact),
        sa.Column("signals", sa.BigInteger(), nullable=False),
        sa.Column("started_at", Milliseconds, nullable=False),
        sa.Column("ended_at", Milliseconds),
        sa.Column("result", LongText),
        sa.Column("error", LongText),
        sa.PrimaryKeyConstraint("ord", name="pk_workflow_run"),
        sa.UniqueConstraint("run_id", name="uq_workflow_run_run_id"),
        sa.UniqueConstraint("live", name="uq_workflow_run_live"),
        sa.UniqueConstraint("start_key", name="uq_workflow_run_start_key"),
        sqlite_autoincrement=True,
        **IN_UTF8,
    )
    op.create_index("ix_workflow_run_workflow_id_ord", "workflow_run", ["workflow_id", "ord"])
    op.create_index("ix_workflow_run_status_wake_at", "workflow_run", ["status", "wake_at"])
    op.create_index("ix_workflow_run_status_ended_at", "workflow_run", ["status", "ended_at"])
    op.create_index("ix_workflow_run_owner", "workflow_run", ["owner"])
