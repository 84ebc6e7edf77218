"""Every write of a run's history, many runs in one unit of work, each fenced by its owner.

The unit locks the rows of all its runs in one statement, in one order (so that two processes cannot deadlock), and
writes only for those that are still ours. A run settles (parks, ends) only if its inbox counter is the one it has seen,
so that no signal is overlooked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.beginning import NewRun, begin_runs
from gateway.durable.sql.inbox import delete_entries
from gateway.durable.sql.recording import insert_events
from gateway.durable.sql.tables import events, runs
from gateway.storage.columns import to_ms
from gateway.storage.prepared import Prepared, PreparedFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Leave memory until `wake_at` (None: until a signal), or at once for another process (`wake_at` in the past).

    error: why it is stuck, or what it waits to try again.
    """

    wake_at: datetime | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End the run; `successor` begins in the same transaction."""

    status: WorkflowStatus
    at: datetime
    result: str | None = None
    error: str | None = None
    successor: NewRun | None = None


Settlement: TypeAlias = Park | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """What one run writes at once. seen: the inbox counter it has read up to. consumed: inbox entries used up."""

    run_id: str
    events: tuple[HistoryEvent, ...]
    consumed: tuple[int, ...] = ()
    settlement: Settlement | None = None
    seen: int = 0


class Verdict(Enum):
    WRITTEN = "written"
    FENCED = "fenced"  # not ours any more: nothing was written, let go
    MOVED = "moved"  # something arrived meanwhile: nothing was written, look and try again


_MINE = PreparedFor(
    lambda ids: (
        select(runs.c.run_id, runs.c.signals)
        .where(runs.c.run_id.in_(ids), runs.c.owner == bindparam("me"), runs.c.status == WorkflowStatus.RUNNING.value)
        .order_by(runs.c.run_id)
        .with_for_update()
    )
)


def write_appends(connection: Connection, batch: Sequence[Append], owner: str, *, uncertain: bool = False) -> list[Verdict]:
    """The unit of work: one verdict for each append, in order; each of another run."""
    ours: dict[str, int] = dict(_MINE.run(connection, [append.run_id for append in batch], me=owner))
    written = _already_written(connection, batch) if uncertain else set[str]()
    verdicts = [_verdict(append, ours) for append in batch]
    accepted = [append for append, verdict in zip(batch, verdicts, strict=True) if verdict is Verdict.WRITTEN]
    insert_events(connection, ((append.run_id, event) for append in accepted if append.run_id not in written for event in append.events))
    delete_entries(connection, [ord for append in accepted for ord in append.consumed])
    _park(connection, accepted)
    _end(connection, accepted)
    return verdicts


def _verdict(append: Append, ours: dict[str, int]) -> Verdict:
    if append.run_id not in ours:
        return Verdict.FENCED
    if append.settlement is not None and ours[append.run_id] != append.seen:
        return Verdict.MOVED
    return Verdict.WRITTEN


def _already_written(connection: Connection, batch: Sequence[Append]) -> set[str]:
    """Runs whose events an uncertain commit did write: only their owner can have."""
    ends = {append.run_id: append.events[-1].sequence for append in batch if append.events}
    return {run_id for run_id, sequence in _LAST.run(connection, list(ends)) if sequence >= ends[run_id]} if ends else set()


_LAST = PreparedFor(
    lambda ids: select(events.c.run_id, func.max(events.c.sequence)).where(events.c.run_id.in_(ids)).group_by(events.c.run_id)
)


_SETTLE = update(runs).where(runs.c.run_id == bindparam("of"))
_PARK = Prepared(_SETTLE.values(status=WorkflowStatus.PARKED.value, owner=None, wake_at=bindparam("at"), error=bindparam("why")))
_END = Prepared(
    _SETTLE.values(
        status=bindparam("as"),
        owner=None,
        live=None,
        wake_at=None,
        ended_at=bindparam("at"),
        result=bindparam("with"),
        error=bindparam("why"),
    )
)


def _park(connection: Connection, batch: Sequence[Append]) -> None:
    rows = [
        {"of": append.run_id, "at": wake_ms(append.settlement.wake_at), "why": append.settlement.error}
        for append in batch
        if isinstance(append.settlement, Park)
    ]
    _PARK.run_many(connection, rows)


def wake_ms(moment: datetime | None) -> int | None:
    """Rounded up: woken a fraction early, a run would only park again."""
    return None if moment is None else math.ceil(moment.timestamp() * 1000)


def _end(connection: Connection, batch: Sequence[Append]) -> None:
    ends = [(append.run_id, append.settlement) for append in batch if isinstance(append.settlement, End)]
    if not ends:
        return
    _END.run_many(
        connection,
        [{"of": run, "as": end.status.value, "at": to_ms(end.at), "with": end.result, "why": end.error} for run, end in ends],
    )
    begin_runs(connection, [end.successor for _, end in ends if end.successor is not None])
