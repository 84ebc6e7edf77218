"""Which dispatch went to which run, in the gateway's own database: what makes a dispatch happen exactly once.

The relay may send a dispatch twice (it may die between sending and writing that it did; two gateways may read the same
outbox). Whoever receives it claims it first: the claim of a run stands for good, a second run's is refused, and that run
drops what it got. Temporal's own identity of requests covers only what arrives while the same run is going.

A start key is reserved before the start is sent, so that no second run of that key ever comes into being.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Column, Connection, Table, delete, false, insert, select, update

from gateway.durable.sql.keeping import retire
from gateway.durable.sql.tables import runs
from gateway.storage.columns import ExactName, Milliseconds, metadata
from gateway.storage.dispatches import dispatches

claims = Table(
    "temporal_claim",
    metadata,
    Column("dispatch_id", ExactName, primary_key=True),
    Column("run_id", ExactName),
    Column("workflow_id", ExactName),
    Column("start_key", ExactName, unique=True),
    Column("at", Milliseconds, nullable=False),
)

_CHUNK = 200
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A dispatch nobody has marked as taken. `done`: a run has claimed it. input, payload: JSON text."""

    ord: int
    id: str
    workflow_id: str
    workflow_type: str | None
    input: str
    signal: str | None
    payload: str
    start_key: str | None
    delay: float
    done: bool


def waiting(connection: Connection, *, limit: int) -> list[Waiting]:
    """Oldest first."""
    joined = select(dispatches, claims.c.run_id.label("claimed_by")).outerjoin(claims, claims.c.dispatch_id == dispatches.c.id)
    rows = connection.execute(joined.where(dispatches.c.taken == false()).order_by(dispatches.c.ord).limit(limit))
    return [
        Waiting(
            ord=row.ord,
            id=row.id,
            workflow_id=row.workflow_id,
            workflow_type=row.workflow_type,
            input=row.input,
            signal=row.signal,
            payload=row.payload,
            start_key=row.start_key,
            delay=row.delay_ms / 1000,
            done=row.claimed_by is not None,
        )
        for row in rows
    ]


def mark_taken(connection: Connection, sent: Collection[Waiting]) -> None:
    """They have been sent, or have nowhere to go."""
    for batch in _chunks(sorted(dispatch.ord for dispatch in sent)):
        connection.execute(update(dispatches).where(dispatches.c.ord.in_(batch)).values(taken=True))


def claim(connection: Connection, dispatch_ids: Sequence[str], run_id: str, workflow_id: str, now_ms: int) -> set[str]:
    """Those of the dispatches that belong to another run; the rest are this run's from now on."""
    others: set[str] = set()
    for batch in _chunks(sorted(set(dispatch_ids))):
        found = select(claims.c.dispatch_id, claims.c.run_id).where(claims.c.dispatch_id.in_(batch)).order_by(claims.c.dispatch_id)
        known = {row.dispatch_id: row.run_id for row in connection.execute(found.with_for_update())}
        others |= {id for id, owner in known.items() if owner not in {None, run_id}}
        reserved = [id for id, owner in known.items() if owner is None]
        mine = {"run_id": run_id, "workflow_id": workflow_id, "at": now_ms}
        if reserved:
            connection.execute(update(claims).where(claims.c.dispatch_id.in_(reserved)).values(**mine))
        fresh = [{"dispatch_id": id, **mine} for id in batch if id not in known]
        if fresh:
            connection.execute(insert(claims), fresh)
    return others


def claimed_by(connection: Connection, dispatch_id: str) -> str | None:
    """The run a dispatch belongs to."""
    return connection.scalar(select(claims.c.run_id).where(claims.c.dispatch_id == dispatch_id))


def reserve(connection: Connection, dispatch: Waiting, now_ms: int) -> bool:
    """True if the start key is this dispatch's. Keys the embedded engine's runs have stay theirs."""
    if connection.scalar(select(runs.c.run_id).where(runs.c.start_key == dispatch.start_key)) is not None:
        return False
    holder = connection.scalar(select(claims.c.dispatch_id).where(claims.c.start_key == dispatch.start_key).with_for_update())
    if holder is None:
        connection.execute(insert(claims).values(dispatch_id=dispatch.id, start_key=dispatch.start_key, at=now_ms))
    return holder in {None, dispatch.id}


def keep_key(connection: Connection, start_key: str, run_id: str, workflow_id: str, now_ms: int) -> None:
    """A run that was not started by a dispatch of ours keeps its start key."""
    connection.execute(
        insert(claims).values(dispatch_id=f"carried over:{run_id}", run_id=run_id, workflow_id=workflow_id, start_key=start_key, at=now_ms)
    )


def release(connection: Connection, dispatch: Waiting) -> None:
    """It started nothing: the key is free for a start that does."""
    connection.execute(delete(claims).where(claims.c.dispatch_id == dispatch.id, claims.c.run_id.is_(None)))


def overdue(connection: Connection) -> tuple[int, int | None]:
    """How many dispatches wait, and since when (milliseconds) the oldest does."""
    times = sorted(connection.scalars(select(dispatches.c.created_at).where(dispatches.c.taken == false())))
    return len(times), times[0] if times else None


def keyed_runs(connection: Connection, *, before_ms: int, limit: int) -> list[tuple[str, str, str]]:
    """(dispatch, workflow, run) of start keys claimed before then."""
    old = claims.c.start_key.is_not(None), claims.c.run_id.is_not(None), claims.c.at < before_ms
    rows = connection.execute(
        select(claims.c.dispatch_id, claims.c.workflow_id, claims.c.run_id).where(*old).order_by(claims.c.at).limit(limit)
    )
    return [(row.dispatch_id, row.workflow_id, row.run_id) for row in rows]


def forget(connection: Connection, *, before_ms: int, limit: int, keys: Collection[str]) -> None:
    """Drop claims and tombstones from before then, and of the keyed claims those named."""
    for batch in _chunks(sorted(keys)):
        connection.execute(delete(claims).where(claims.c.dispatch_id.in_(batch)))
    old = select(claims.c.dispatch_id).where(claims.c.start_key.is_(None), claims.c.at < before_ms).limit(limit)
    for batch in _chunks(sorted(connection.scalars(old))):
        connection.execute(delete(claims).where(claims.c.dispatch_id.in_(batch)))
    retire(connection, before_ms, limit)  # what the embedded engine left, and the tombstones of dispatches


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
