"""What has been said to runs and not been consumed: signals in order of arrival, and operators' orders.

An inbox of its own, because whoever signals must not compete with the owner for the history's next number. Every entry
raises the run's counter; a parked run is made ready in the same statement, so there is no moment in which a signal
lies in the inbox of a run that sleeps for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, case, insert, select, update

from gateway.durable.payloads import decoded
from gateway.durable.port import WorkflowStatus
from gateway.durable.sql.tables import inbox, runs
from gateway.durable.stepping import Received


def put_in_inboxes(connection: Connection, entries: Sequence[dict[str, object]], now_ms: int) -> None:
    """Add the entries, count them, and make what is parked ready."""
    if not entries:
        return
    connection.execute(insert(inbox), list(entries))
    counts: dict[str, int] = {}
    for entry in entries:
        counts[str(entry["run_id"])] = counts.get(str(entry["run_id"]), 0) + 1
    parked = runs.c.status == WorkflowStatus.PARKED.value
    for run_id, count in sorted(counts.items()):
        connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id)
            # MySQL assigns from left to right: what reads `status` stands before what sets it
            .ordered_values(
                (runs.c.wake_at, case((parked, now_ms), else_=runs.c.wake_at)),
                (runs.c.signals, runs.c.signals + count),
                (runs.c.status, case((parked, WorkflowStatus.READY.value), else_=runs.c.status)),
            )
        )


def lock_live(connection: Connection, workflow_ids: Iterable[str]) -> dict[str, str]:
    """The runs these workflows have going, by id, locked so that none ends between this look and what is said to it.

    A run that continued as new while we waited for its row is gone, and its successor was not there yet when the
    statement began: whoever was not found is looked for again, until a look that waits for nobody finds nothing either.
    """
    found: dict[str, str] = {}
    missing = set(workflow_ids)
    while missing:
        going = select(runs.c.live, runs.c.run_id).where(runs.c.live.in_(missing)).order_by(runs.c.run_id)
        found |= {row.live: row.run_id for row in connection.execute(going.with_for_update())}
        missing -= found.keys()
        if connection.dialect.name == "sqlite":
            break  # nobody else writes meanwhile
        if not missing or not connection.execute(select(runs.c.live).where(runs.c.live.in_(missing)).limit(1)).first():
            break
    return found


def order(connection: Connection, workflow_id: str, name: str, payload_text: str, now_ms: int) -> str | None:
    """Put an operator's order into the inbox of the live run of this id; its run, None if nothing runs."""
    run_id = lock_live(connection, [workflow_id]).get(workflow_id)
    if run_id is not None:
        entry = {"run_id": run_id, "name": name, "payload": payload_text, "control": True, "start_type": None, "start_input": None}
        put_in_inboxes(connection, [entry], now_ms)
        if name == "cancel":  # also what is still to begin need not wait for that
            not_begun = update(runs).where(runs.c.run_id == run_id, runs.c.status == WorkflowStatus.READY.value)
            connection.execute(not_begun.values(wake_at=now_ms))
    return run_id


def read_inboxes(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[int, list[Received]]]:
    """Each run's counter and entries. The counter is read first: an entry it does not count only costs another look."""
    counters = connection.execute(select(runs.c.run_id, runs.c.signals).where(runs.c.run_id.in_(run_ids)))
    found: dict[str, tuple[int, list[Received]]] = {row.run_id: (row.signals, []) for row in counters}
    for row in connection.execute(select(inbox).where(inbox.c.run_id.in_(run_ids)).order_by(inbox.c.ord)):
        starts = None if row.start_type is None else (row.start_type, row.start_input)
        entry = Received(ord=row.ord, name=row.name, payload=decoded(row.payload), control=row.control, starts=starts)
        if row.run_id in found:
            found[row.run_id][1].append(entry)
    return found
