"""The tables of submissions, of what people said to what waits for them, and of where changes landed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table

from gateway.storage.columns import ExactName, Key, LongBytes, Milliseconds, Sequence, metadata

landings = Table(
    "landing",
    metadata,
    Column("key", Key, primary_key=True),
    Column("commit_key", Key, nullable=False, index=True),
    Column("document", LongBytes, nullable=False),
)

approvals = Table(
    "approval",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("about_key", Key, nullable=False),
    Column("document", LongBytes, nullable=False),
    Index(None, "about_key", "ord"),
)

submissions = Table(
    "submission",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("id", ExactName, nullable=False, unique=True),
    # null where the caller gave no key; every database takes any number of nulls as different
    Column("asked_under", Key, unique=True),
    Column("version", BigInteger, nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("state", String(16), nullable=False),
    Column("workflow", ExactName, nullable=False),
    Column("target", ExactName, nullable=False),
    Column("subject_key", Key, nullable=False),
    Column("document", LongBytes, nullable=False),
    Index(None, "at", "ord"),
    Index(None, "state", "at", "ord"),
    Index(None, "workflow", "at", "ord"),
    Index(None, "target", "at", "ord"),
    Index(None, "subject_key", "at", "ord"),
)
