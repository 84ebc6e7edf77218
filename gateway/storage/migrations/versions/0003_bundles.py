"""Bundles that are published: their revisions, and who changed what is in force."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
Digest = sa.String(71)
LongBytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
Counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Milliseconds = sa.BigInteger()
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "bundle_revision",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("name", Exact, nullable=False),
        sa.Column("digest", Digest, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_bundle_revision"),
        sa.UniqueConstraint("name", "digest", name="uq_bundle_revision_name_digest"),
        **IN_UTF8,
    )
    op.create_table(
        "audit_event",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("at", Milliseconds, nullable=False),
        sa.Column("about_key", Key, nullable=False),
        sa.Column("document", LongBytes, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_audit_event"),
        **IN_UTF8,
    )
    op.create_index("ix_audit_event_about_key_ord", "audit_event", ["about_key", "ord"])


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
