"""One round of taking work, as one unit: write and take dispatches, carry them out, claim what is due.

What waits longest comes first: what others wrote before what is handed in now, what is due already before what only
begins. A run that begins here and has nothing in its inbox is known whole; it need not be read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.domain.dispatch import Dispatch
from gateway.durable.sql.beginning import NewRun, started_event
from gateway.durable.sql.claims import Claimed, Key, claim
from gateway.durable.sql.glance import stands_alone
from gateway.durable.sql.intake import Intake
from gateway.durable.sql.owners import is_registered
from gateway.storage.dispatches import write_taken_dispatches


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """started, signalled: runs that began, and whose inbox grew. fresh: ours and known whole. known: ours, still to be read.
    buried: others have taken us for dead, so nothing was claimed: nobody would watch over it. full: there may be more that
    is due and found no room."""

    started: frozenset[str]
    signalled: frozenset[str]
    buried: bool
    fresh: tuple[Claimed, ...]
    known: tuple[Key, ...]
    full: bool


def work_round(
    connection: Connection, *, batch: Sequence[Dispatch], prepared: Mapping[str, NewRun], owner: str, now_ms: int, room: int
) -> Round:
    """The unit of work. On return every dispatch of the batch has been carried out; `room`: take no more than so many."""
    intake = Intake(connection, now_ms, prepared)
    alone = room > 0 and stands_alone(connection, batch, owner, now_ms)
    if alone:
        intake.add_unknown(write_taken_dispatches(connection, batch, now_ms=now_ms, all_new=True))
    else:
        intake.add_outbox()
        intake.add(write_taken_dispatches(connection, batch, now_ms=now_ms))
        intake.say()
    buried = room > 0 and not alone and not is_registered(connection, owner)
    claimed = claim(connection, owner, now_ms, room) if room > 0 and not buried and not alone else []
    begun = intake.begin(owner, 0 if buried else room - len(claimed))
    return Round(
        started=frozenset(intake.started),
        signalled=frozenset(intake.signalled),
        buried=buried,
        full=len(claimed) >= room or len(begun) < intake.due,
        fresh=tuple(_whole(new) for new in begun if not new.counted),
        known=(*claimed, *((new.run_id, new.workflow_id, new.type) for new in begun if new.counted)),
    )


def _whole(new: NewRun) -> Claimed:
    events = (started_event(new), *new.first_events)
    return Claimed(run_id=new.run_id, workflow_id=new.workflow_id, type=new.type, events=events, seen=0, inbox=())
