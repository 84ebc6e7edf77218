"""One round of taking work, as one unit: write and take dispatches, carry them out, claim what is due.

A run that begins in this very round and has nothing in its inbox is known whole; it need not be read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.domain.dispatch import Dispatch
from gateway.durable.sql.beginning import started_event
from gateway.durable.sql.claims import Claimed, Key, claim
from gateway.durable.sql.intake import Taken, take
from gateway.durable.sql.owners import is_registered
from gateway.storage.dispatches import write_dispatches


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """taken: what dispatches came to. fresh: claimed and known whole. known: claimed, still to be read.
    buried: others have taken us for dead, so nothing was claimed: nobody would watch over it."""

    taken: Taken
    buried: bool
    fresh: tuple[Claimed, ...]
    known: tuple[Key, ...]

    @property
    def claimed(self) -> int:
        return len(self.fresh) + len(self.known)


def work_round(connection: Connection, *, batch: Sequence[Dispatch], owner: str, now_ms: int, room: int) -> Round:
    """The unit of work. On return every dispatch of the batch has been carried out; `room`: claim no more than so many."""
    write_dispatches(connection, batch, now_ms=now_ms)
    taken = take(connection, now_ms)
    while taken.full:
        taken.add(take(connection, now_ms))
    buried = room > 0 and not is_registered(connection, owner)
    claimed = claim(connection, owner, now_ms, room) if room > 0 and not buried else []
    fresh = {run_id for run_id, _, _ in claimed if run_id in taken.started and run_id not in taken.signalled}
    return Round(
        taken=taken,
        buried=buried,
        fresh=tuple(
            Claimed(run_id=run_id, workflow_id=workflow_id, type=type, events=(started_event(taken.started[run_id]),), seen=0, inbox=())
            for run_id, workflow_id, type in claimed
            if run_id in fresh
        ),
        known=tuple(key for key in claimed if key[0] not in fresh),
    )
