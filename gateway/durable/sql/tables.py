"""The engine's tables. One row for each run, its events, its inbox, and one row for each process that runs workflows.

`live` holds the workflow's id while the run has not ended: unique, so there is never a second one going.
`signals` counts what ever arrived in the inbox: a run parks or ends only if it has seen that many.
The owner is on the run, and every write of a run's events locks the row and checks it: that is the fence.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

from gateway.storage.columns import ExactName, LongText, Milliseconds, Sequence, metadata

runs = Table(
    "workflow_run",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("run_id", ExactName, nullable=False, unique=True),
    Column("workflow_id", ExactName, nullable=False),
    Column("live", ExactName, unique=True),
    Column("start_key", ExactName, unique=True),
    Column("type", ExactName, nullable=False),
    Column("status", ExactName, nullable=False),
    Column("wake_at", Milliseconds),
    Column("owner", ExactName),
    Column("signals", BigInteger, nullable=False),
    Column("started_at", Milliseconds, nullable=False),
    Column("ended_at", Milliseconds),
    Column("result", LongText),
    Column("error", LongText),
    Index(None, "workflow_id", "ord"),
    Index(None, "status", "wake_at"),
    Index(None, "owner"),
    Index(None, "status", "ended_at"),
    sqlite_autoincrement=True,
)

events = Table(
    "workflow_event",
    metadata,
    Column("run_id", ExactName, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Milliseconds, nullable=False),
    Column("kind", ExactName, nullable=False),
    Column("attributes", LongText, nullable=False),
)

inbox = Table(
    "workflow_inbox",
    metadata,
    Column("ord", Sequence, primary_key=True, autoincrement=True),
    Column("run_id", ExactName, nullable=False),
    Column("name", ExactName, nullable=False),
    Column("payload", LongText, nullable=False),
    Column("control", Boolean, nullable=False),
    Column("start_type", ExactName),
    Column("start_input", LongText),
    Index(None, "run_id", "ord"),
    sqlite_autoincrement=True,
)

owners = Table(
    "workflow_owner",
    metadata,
    Column("owner", ExactName, primary_key=True),
    Column("beat", BigInteger, nullable=False),
    Column("beat_at", Milliseconds, nullable=False),
    Column("machine", ExactName),
    Column("process", ExactName),
)
