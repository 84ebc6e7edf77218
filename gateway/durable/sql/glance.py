"""One look at whether there is anything these dispatches could meet: the usual answer for a single start is no, and then the
statements that would each have found nothing need not be sent. To a server each costs a round trip.

A plain look in one statement sees one moment. Whoever comes later meets the unique keys, and the unit is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, exists, false, or_, select

from gateway.domain.dispatch import Dispatch
from gateway.durable.sql.claims import DUE
from gateway.durable.sql.tables import owners, runs
from gateway.storage.dispatches import dispatches
from gateway.storage.prepared import Prepared

_FEW = 8
"""Beyond it there is always something, and the look only costs."""


def stands_alone(connection: Connection, batch: Sequence[Dispatch], owner: str, now_ms: int) -> bool:
    """True if nothing else is due or waits to be taken, every one of them is new and starts what does not run, and nobody has
    taken the owner for dead, or can before the transaction ends."""
    ids, starting = {dispatch.id for dispatch in batch}, {dispatch.workflow_id for dispatch in batch}
    keyed = any(dispatch.start_key is not None for dispatch in batch)
    if not 0 < len(batch) <= _FEW or keyed or len(ids) < len(batch) or len(starting) < len(batch):
        return False
    named = {f"id{place}": dispatch.id for place, dispatch in enumerate(batch)}
    named |= {f"live{place}": dispatch.workflow_id for place, dispatch in enumerate(batch)}
    return [found for (found,) in _GLANCES[len(batch)].run(connection, now=now_ms, me=owner, **named)] == [False]


def _glance(size: int) -> Select[Any]:
    anything = or_(
        exists().where(dispatches.c.taken == false()),
        exists().where(dispatches.c.id.in_(_names("id", size))),
        exists().where(runs.c.live.in_(_names("live", size))),
        exists().where(DUE),
    )
    return select(anything.label("anything")).where(owners.c.owner == bindparam("me")).with_for_update()


def _names(stem: str, size: int) -> list[BindParameter[str]]:
    return [bindparam(f"{stem}{place}") for place in range(size)]


_GLANCES = {size: Prepared(_glance(size)) for size in range(1, _FEW + 1)}
