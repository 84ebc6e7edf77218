"""The sealed record: what waits for its seal, the seals, and where the chain has got to. What is on record already waits."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Exact = sa.String(191).with_variant(mysql.VARCHAR(191, collation="utf8mb4_bin"), "mysql", "mariadb")
Key = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
Counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_UTF8: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
AT_ONCE = 500

unsealed = sa.table("unsealed", sa.column("kind"), sa.column("ref"), sa.column("content"))


def upgrade() -> None:
    op.create_table(
        "unsealed",
        sa.Column("ord", Counted, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", Exact, nullable=False),
        sa.Column("content", Key, nullable=False),
        sa.PrimaryKeyConstraint("ord", name="pk_unsealed"),
        sa.UniqueConstraint("ref", "kind", name="uq_unsealed_ref_kind"),
        **IN_UTF8,
    )
    op.create_table(
        "seal",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", Exact, nullable=False),
        sa.Column("content", Key, nullable=False),
        sa.Column("hash", Key, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_seal"),
        sa.UniqueConstraint("ref", "kind", name="uq_seal_ref_kind"),
        **IN_UTF8,
    )
    op.create_table(
        "chain_head",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", Key, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_chain_head"),
        **IN_UTF8,
    )
    head = sa.table("chain_head", sa.column("one"), sa.column("position"), sa.column("hash"))
    op.execute(head.insert().values(one=1, position=0, hash=hashlib.sha256(b"\x02admit chain").hexdigest()))
    _enlist("decision", "decision", "id")
    _enlist("audit", "audit_event", "ord")


def _enlist(kind: str, name: str, ref: str) -> None:
    """In the order of recording, some at a time: documents are large and there may be many."""
    connection = op.get_bind()
    table = sa.table(name, sa.column("ord"), sa.column("document"), *([sa.column(ref)] if ref != "ord" else []))
    last = -1
    while True:
        page = sa.select(table).where(table.c.ord > last).order_by(table.c.ord).limit(AT_ONCE)
        rows = connection.execute(page).all()
        if not rows:
            return
        prefix = b'\x00{"kind":"%s"}\n' % kind.encode()
        connection.execute(
            unsealed.insert(),
            [
                {"kind": kind, "ref": str(getattr(row, ref)), "content": hashlib.sha256(prefix + bytes(row.document)).hexdigest()}
                for row in rows
            ],
        )
        last = rows[-1].ord


def downgrade() -> None:
    raise NotImplementedError("migrations do not run backwards: restore the copy of the database made before")
