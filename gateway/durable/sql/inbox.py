"""What has been said to runs and not been consumed: signals in order of arrival, and operators' orders.

An inbox of its own, because whoever signals must not compete with the owner for the history's next number. Every entry
raises the run's counter; a parked run is made ready in the same statement, so there is no moment in which a signal
lies in the inbox of a run that sleeps for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, case, delete, select, update

from gateway.durable.payloads import decoded
from gateway.durable.port import WorkflowStatus
from gateway.durable.sql.tables import inbox, runs
from gateway.durable.stepping import Received
from gateway.storage.prepared import Prepared, PreparedFor, prepared_insert

_PARKED = runs.c.status == WorkflowStatus.PARKED.value
_INSERT = prepared_insert(inbox, without={"ord"})
_COUNT = Prepared(
    update(runs)
    .where(runs.c.run_id == bindparam("of"))
    # MySQL assigns from left to right: what reads `status` stands before what sets it
    .ordered_values(
        (runs.c.wake_at, case((_PARKED, bindparam("now")), else_=runs.c.wake_at)),
        (runs.c.signals, runs.c.signals + bindparam("more")),
        (runs.c.status, case((_PARKED, WorkflowStatus.READY.value), else_=runs.c.status)),
    )
)
_USED = PreparedFor(lambda ords: delete(inbox).where(inbox.c.ord.in_(ords)))
_LIVE = PreparedFor(lambda ids: select(runs.c.live, runs.c.run_id).where(runs.c.live.in_(ids)).order_by(runs.c.run_id).with_for_update())
_GOING = PreparedFor(lambda ids: select(runs.c.run_id).where(runs.c.live.in_(ids)).limit(1))
_COUNTERS = PreparedFor(lambda ids: select(runs.c.run_id, runs.c.signals).where(runs.c.run_id.in_(ids)))
_ENTRIES = PreparedFor(lambda ids: select(inbox).where(inbox.c.run_id.in_(ids)).order_by(inbox.c.ord))


def put_in_inboxes(connection: Connection, entries: Sequence[Mapping[str, object]], now_ms: int) -> None:
    """Add the entries, count them, and make what is parked ready."""
    insert_entries(connection, entries)
    counts = Counter(str(entry["run_id"]) for entry in entries)
    _COUNT.run_many(connection, [{"of": run_id, "more": count, "now": now_ms} for run_id, count in sorted(counts.items())])


def insert_entries(connection: Connection, entries: Sequence[Mapping[str, object]]) -> None:
    """Add the entries of runs that count them otherwise."""
    _INSERT.run_many(connection, entries)


def delete_entries(connection: Connection, ords: Sequence[int]) -> None:
    """Forget the entries that were used up."""
    if ords:
        _USED.run(connection, ords)


def lock_live(connection: Connection, workflow_ids: Iterable[str]) -> dict[str, str]:
    """The runs these workflows have going, by id, locked so that none ends between this look and what is said to it.

    A run that continued as new while we waited for its row is gone, and its successor was not there yet when the
    statement began: whoever was not found is looked for again, until a look that waits for nobody finds nothing either.
    """
    found: dict[str, str] = {}
    missing = set(workflow_ids)
    while missing:
        found |= dict(_LIVE.run(connection, sorted(missing)))
        missing -= found.keys()
        if connection.dialect.name == "sqlite":
            break  # nobody else writes meanwhile
        if not missing or not _GOING.run(connection, sorted(missing)):
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
    found: dict[str, tuple[int, list[Received]]] = {run_id: (signals, []) for run_id, signals in _COUNTERS.run(connection, run_ids)}
    for row in _ENTRIES.run(connection, run_ids):
        starts = None if row.start_type is None else (row.start_type, row.start_input)
        entry = Received(ord=row.ord, name=row.name, payload=decoded(row.payload), control=bool(row.control), starts=starts)
        if row.run_id in found:
            found[row.run_id][1].append(entry)
    return found
