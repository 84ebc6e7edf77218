"""Which dispatch went to which run, where runs are kept by Temporal."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Milliseconds = sa.BigInteger()
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "temporal_claim",
        sa.Column("dispatch_id", Exact, nullable=False),
        sa.Column("run_id", Exact),
        sa.Column("workflow_id", Exact),
        sa.Column("start_key", Exact),
        sa.Column("at", Milliseconds, nullable=False),
        sa.PrimaryKeyConstraint("dispatch_id", name="pk_temporal_claim"),
        sa.UniqueConstraint("start_key", name="uq_temporal_claim_start_key"),
        **IN_UTF8,
    )
