"""The processes that run workflows, as they know of each other: registered, beating, buried. Units of work."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from gateway.durable.port import WorkflowStatus
from gateway.durable.sql.claims import release
from gateway.durable.sql.processes import is_gone, this_machine, this_process
from gateway.durable.sql.tables import owners, runs
from gateway.storage.prepared import Prepared


def register(connection: Connection, owner: str, now_ms: int) -> None:
    """Let others know of us."""
    known = {"owner": owner, "beat": 1, "beat_at": now_ms, "machine": this_machine(), "process": this_process()}
    connection.execute(insert(owners).values(**known))


def beat(connection: Connection, owner: str, now_ms: int) -> bool:
    """We live; False if others have decided otherwise."""
    alive = update(owners).where(owners.c.owner == owner).values(beat=owners.c.beat + 1, beat_at=now_ms)
    return connection.execute(alive).rowcount == 1


_REGISTERED = Prepared(select(owners.c.beat).where(owners.c.owner == bindparam("me")).with_for_update())


def is_registered(connection: Connection, owner: str) -> bool:
    """True while nobody has taken us for dead; from here to the end of the transaction nobody can."""
    return bool(_REGISTERED.run(connection, me=owner))


def beats(connection: Connection) -> dict[str, int]:
    """Every process's beat."""
    return {row.owner: row.beat for row in connection.execute(select(owners.c.owner, owners.c.beat))}


def gone(connection: Connection) -> dict[str, int]:
    """Owners whose process was one of this machine and has ended, with their last beat."""
    rows = connection.execute(select(owners).where(owners.c.machine == this_machine()))
    return {row.owner: row.beat for row in rows if is_gone(row.machine, row.process)}


def orphaned(connection: Connection) -> list[str]:
    """Owners of running runs that are not registered (any more)."""
    known = select(owners.c.owner)
    held = select(runs.c.owner).where(runs.c.status == WorkflowStatus.RUNNING.value, runs.c.owner.not_in(known)).distinct()
    return list(connection.scalars(held))


def bury(connection: Connection, owner: str, beat_seen: int, now_ms: int) -> int | None:
    """Take a process that has not beaten since for dead and make its runs ready; how many, None if it lives."""
    unmoved = delete(owners).where(owners.c.owner == owner, owners.c.beat == beat_seen)
    if connection.execute(unmoved).rowcount != 1:
        return None
    return release(connection, owner, None, now_ms)


def unregister(connection: Connection, owner: str) -> None:
    """Leave; the runs have been released."""
    connection.execute(delete(owners).where(owners.c.owner == owner))
