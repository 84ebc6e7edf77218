"""Storage's tables. What people read is one canonical document a row; beside it stand only the columns that are searched.

Names that people choose are never columns: their hashes are (`gateway.storage.keys`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, String, Table, UniqueConstraint

from gateway.storage.columns import ExactName, Key, LongBytes, Milliseconds, Sequence, metadata

BlobDigest = String(71)

blobs = Table(
    "blob",
    metadata,
    Column("digest", BlobDigest, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("content", LongBytes, nullable=False),
    Column("packing", String(8)),
)

deliveries = Table(
    "delivery",
    metadata,
    Column("key", Key, primary_key=True),
    Column("received_at", Milliseconds, nullable=False, index=True),
    Column("body", BlobDigest, nullable=False),
    Column("document", LongBytes, nullable=False),
)

bundles = Table(
    "bundle",
    metadata,
    Column("digest", BlobDigest, primary_key=True),
    Column("document", LongBytes, nullable=False),
)

generations = Table(
    "generation",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LongBytes, nullable=False),
)

in_force = Table(
    "generation_in_force",
    metadata,
    # one row, made by the migration: who counts on locks it, so numbers have neither gaps nor twins
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

decisions = Table(
    "decision",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("id", ExactName, nullable=False, unique=True),
    Column("at", Milliseconds, nullable=False),
    Column("connection", ExactName),
    Column("repository_key", Key),
    Column("change_key", Key),
    Column("number", BigInteger),
    Column("outcome", String(16), nullable=False),
    Column("facts", String(16), nullable=False),
    Column("facts_digest", BlobDigest, nullable=False),
    Column("substance", Key),
    Column("confirmed_at", String(32)),
    Column("document", LongBytes, nullable=False),
    Index(None, "at", "ord"),
    Index(None, "connection", "at", "ord"),
    Index(None, "repository_key", "at", "ord"),
    Index(None, "outcome", "at", "ord"),
    Index(None, "change_key", "ord"),
)

unsealed = Table(
    "unsealed",
    metadata,
    # an outbox: written with the entry, emptied by the sealer
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("ref", ExactName, nullable=False),
    Column("content", Key, nullable=False),
    UniqueConstraint("ref", "kind"),
)

seals = Table(
    "seal",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("ref", ExactName, nullable=False),
    Column("content", Key, nullable=False),
    Column("hash", Key, nullable=False),
    UniqueConstraint("ref", "kind"),
)

chain_head = Table(
    "chain_head",
    metadata,
    # one row, made by the migration: who seals locks it, so the chain never forks
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Key, nullable=False),
)

checkpoints = Table(
    "checkpoint",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LongBytes, nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    # one row, where no key is configured: made at the first start, the same for all gateways on this database
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("private", LongBytes, nullable=False),
)

changes = Table(
    "tracked_change",
    metadata,
    Column("key", Key, primary_key=True),
    Column("head_key", Key, nullable=False, index=True),
    Column("state", String(32), nullable=False),
    Column("updated_at", Milliseconds, nullable=False),
    Column("document", LongBytes, nullable=False),
    Index(None, "state", "updated_at"),
    Index(None, "updated_at"),
)

reports = Table(
    "report",
    metadata,
    Column("key", Key, primary_key=True),
    Column("document", LongBytes, nullable=False),
)

tokens = Table(
    "api_token",
    metadata,
    Column("name", ExactName, primary_key=True),
    Column("hash", ExactName, nullable=False, unique=True),
    Column("document", LongBytes, nullable=False),
)

bundle_revisions = Table(
    "bundle_revision",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("name", ExactName, nullable=False),
    Column("digest", BlobDigest, nullable=False),
    Column("document", LongBytes, nullable=False),
    UniqueConstraint("name", "digest"),
)

audit_events = Table(
    "audit_event",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("at", Milliseconds, nullable=False),
    Column("about_key", Key, nullable=False),
    Column("document", LongBytes, nullable=False),
    Index(None, "about_key", "ord"),
)

relations_head = Table(
    "relations_head",
    metadata,
    # one row, made by the migration: who edits locks it, so changes have neither gaps nor twins
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("model", BigInteger, nullable=False),
)

relation_models = Table(
    "relation_model",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LongBytes, nullable=False),
)

relation_tuples = Table(
    "relation_tuple",
    metadata,
    Column("key", Key, primary_key=True),
    Column("ord", BigInteger, nullable=False, unique=True),
    Column("object_key", Key, nullable=False),
    Column("place_key", Key, nullable=False),
    Column("user_key", Key, nullable=False),
    Column("document", LongBytes, nullable=False),
    Index(None, "object_key", "ord"),
    Index(None, "place_key", "ord"),
    Index(None, "user_key", "ord"),
)

relation_places = Table(
    "relation_place",
    metadata,
    # which tuples a forge's place holds; people's words need no finding by who said them
    Column("source", ExactName, primary_key=True),
    Column("key", Key, primary_key=True),
    Index(None, "key"),
)

relation_names = Table(
    "relation_name",
    metadata,
    Column("key", Key, primary_key=True),
    Column("document", LongBytes, nullable=False),
)

relation_changes = Table(
    "relation_change",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LongBytes, nullable=False),
)
