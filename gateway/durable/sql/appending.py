"""Every write of a run's history, many runs in one unit of work, each fenced by its owner.

The unit locks the rows of all its runs in one statement, in one order (so that two processes cannot deadlock), and
writes only for those that are still ours. A run settles (parks, ends) only if its inbox counter is the one it has seen,
so that no signal is overlooked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, delete, func, select, update

from gateway.durable.payloads import attributes_text
from gateway.durable.port import HistoryEvent, WorkflowStatus
from gateway.durable.sql.beginning import NewRun, begin_runs
from gateway.durable.sql.tables import events, inbox, runs
from gateway.storage.columns import to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Leave memory until `wake_at` (None: until a signal), or at once for another process (`wake_at` in the past).

    error: why it is stuck, where it is.
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


def write_appends(connection: Connection, batch: Sequence[Append], owner: str, *, uncertain: bool = False) -> list[Verdict]:
    """The unit of work: one verdict for each append, in order; each of another run."""
    ours = _locked(connection, [append.run_id for append in batch], owner)
    written = _already_written(connection, batch) if uncertain else set[str]()
    verdicts = [_verdict(append, ours) for append in batch]
    accepted = [append for append, verdict in zip(batch, verdicts, strict=True) if verdict is Verdict.WRITTEN]
    _insert_events(connection, (append for append in accepted if append.run_id not in written))
    consumed = [ord for append in accepted for ord in append.consumed]
    if consumed:
        connection.execute(delete(inbox).where(inbox.c.ord.in_(consumed)))
    _park(connection, accepted)
    _end(connection, accepted)
    return verdicts


def _locked(connection: Connection, run_ids: Sequence[str], owner: str) -> dict[str, int]:
    """Lock the runs that are ours; their inbox counters."""
    mine = (
        select(runs.c.run_id, runs.c.signals)
        .where(runs.c.run_id.in_(run_ids), runs.c.owner == owner, runs.c.status == WorkflowStatus.RUNNING.value)
        .order_by(runs.c.run_id)
        .with_for_update()
    )
    return {row.run_id: row.signals for row in connection.execute(mine)}


def _verdict(append: Append, ours: dict[str, int]) -> Verdict:
    if append.run_id not in ours:
        return Verdict.FENCED
    if append.settlement is not None and ours[append.run_id] != append.seen:
        return Verdict.MOVED
    return Verdict.WRITTEN


def _already_written(connection: Connection, batch: Sequence[Append]) -> set[str]:
    """Runs whose events an uncertain commit did write: only their owner can have."""
    ends = {append.run_id: append.events[-1].sequence for append in batch if append.events}
    last = select(events.c.run_id, func.max(events.c.sequence)).where(events.c.run_id.in_(ends)).group_by(events.c.run_id)
    return {run_id for run_id, sequence in connection.execute(last) if sequence >= ends[run_id]}


def _insert_events(connection: Connection, batch: Iterable[Append]) -> None:
    rows = [event_row(append.run_id, event) for append in batch for event in append.events]
    if rows:
        connection.execute(events.insert(), rows)


def event_row(run_id: str, event: HistoryEvent) -> dict[str, object]:
    """As stored."""
    return {
        "run_id": run_id,
        "sequence": event.sequence,
        "at": to_ms(event.at),
        "kind": event.kind,
        "attributes": attributes_text(event.attributes),
    }


_SETTLE = update(runs).where(runs.c.run_id == bindparam("of"))
_PARK = _SETTLE.values(status=WorkflowStatus.PARKED.value, owner=None, wake_at=bindparam("at"), error=bindparam("why"))
_END = _SETTLE.values(
    status=bindparam("as"),
    owner=None,
    live=None,
    wake_at=None,
    ended_at=bindparam("at"),
    result=bindparam("with"),
    error=bindparam("why"),
)


def _park(connection: Connection, batch: Sequence[Append]) -> None:
    rows = [
        {"of": append.run_id, "at": wake_ms(append.settlement.wake_at), "why": append.settlement.error}
        for append in batch
        if isinstance(append.settlement, Park)
    ]
    if rows:
        connection.execute(_PARK, rows)


def wake_ms(moment: datetime | None) -> int | None:
    """Rounded up: woken a fraction early, a run would only park again."""
    return None if moment is None else math.ceil(moment.timestamp() * 1000)


def _end(connection: Connection, batch: Sequence[Append]) -> None:
    ends = [(append.run_id, append.settlement) for append in batch if isinstance(append.settlement, End)]
    if not ends:
        return
    connection.execute(_END, [{"of": run, "as": e.status.value, "at": to_ms(e.at), "with": e.result, "why": e.error} for run, e in ends])
    begin_runs(connection, [end.successor for _, end in ends if end.successor is not None])
