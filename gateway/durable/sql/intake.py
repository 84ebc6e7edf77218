"""Dispatches become starts and signals, in the order they were written, each exactly once.

One unit of work takes them and writes what they mean. What is said to a workflow that runs goes into its inbox; if it
does not run, a dispatch that names a type starts it. What `wake`s a parked run makes it ready in the same statement, so
there is no moment in which a signal lies in the inbox of a run that sleeps for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from gateway.durable.sql.beginning import NewRun, begin_runs
from gateway.durable.sql.identity import new_run_id
from gateway.durable.sql.inbox import insert_entries, lock_live, put_in_inboxes
from gateway.durable.sql.tables import runs
from gateway.storage.dispatches import WrittenDispatch, take_dispatches
from gateway.storage.prepared import PreparedFor

_BATCH = 256
_USED_KEYS = PreparedFor(lambda keys: select(runs.c.start_key).where(runs.c.start_key.in_(keys)))


@dataclass(slots=True)
class Intake:
    """What dispatches came to, in one transaction. `add` them, `say` what is for runs there are, `begin` the others.

    prepared: runs whose first step has been thought out already, by the id of the dispatch that may start them.
    due: how many of those that began were due at once.
    """

    connection: Connection
    now_ms: int
    prepared: Mapping[str, NewRun] = field(default_factory=dict)
    signalled: set[str] = field(default_factory=set)
    due: int = 0
    _live: dict[str, str] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)
    _starts: dict[str, NewRun] = field(default_factory=dict)
    _signals: list[dict[str, object]] = field(default_factory=list)

    def add_outbox(self) -> None:
        """What others have written, all of it."""
        while True:
            batch = take_dispatches(self.connection, limit=_BATCH)
            self.add(batch)
            if len(batch) < _BATCH:
                return

    def add(self, batch: Sequence[WrittenDispatch]) -> None:
        """The next of them."""
        if batch:
            self._look_up(batch)
        self.add_unknown(batch)

    def add_unknown(self, batch: Sequence[WrittenDispatch]) -> None:
        """The same for those that are known to meet nothing that is there already."""
        for dispatch in batch:
            self._decide(dispatch)

    def say(self) -> None:
        """Write the signals to runs that are there."""
        said = [row for row in self._signals if row["run_id"] not in self._starts]
        put_in_inboxes(self.connection, said, self.now_ms)
        self.signalled |= {str(row["run_id"]) for row in said}

    def begin(self, owner: str, room: int) -> list[NewRun]:
        """Write the runs that start, with what is said to them; those that are this owner's at once, up to so many."""
        said = [row for row in self._signals if row["run_id"] in self._starts]
        counts = Counter(str(row["run_id"]) for row in said)
        counted = [replace(new, counted=counts[new.run_id]) if new.run_id in counts else new for new in self._starts.values()]
        due = [new for new in counted if new.wake_at_ms <= self.now_ms]
        self.due = len(due)
        ours = {new.run_id: replace(new, owner=owner) for new in due[: max(room, 0)]}
        begin_runs(self.connection, [ours.get(new.run_id, new) for new in counted])
        insert_entries(self.connection, said)
        return list(ours.values())

    @property
    def started(self) -> set[str]:
        """The ids of the runs that begin."""
        return set(self._starts)

    def _look_up(self, batch: Sequence[WrittenDispatch]) -> None:
        unknown = {dispatch.workflow_id for dispatch in batch} - self._live.keys()
        self._live |= lock_live(self.connection, unknown) if unknown else {}
        keys = {dispatch.start_key for dispatch in batch if dispatch.start_key is not None} - self._keys
        if keys:
            self._keys |= {row[0] for row in _USED_KEYS.run(self.connection, sorted(keys))}

    def _decide(self, dispatch: WrittenDispatch) -> None:
        run_id = self._live.get(dispatch.workflow_id)
        starts = run_id is None
        if starts:
            run_id = self._start(dispatch)
        if run_id is not None and dispatch.signal is not None:
            self._signal(run_id, dispatch, started=starts)

    def _start(self, dispatch: WrittenDispatch) -> str | None:
        if dispatch.workflow_type is None or dispatch.start_key in self._keys:
            return None
        if dispatch.start_key is not None:
            self._keys.add(dispatch.start_key)
        new = self.prepared.get(dispatch.id) or a_new_run(dispatch, self.now_ms)
        self._starts[new.run_id] = new
        self._live[dispatch.workflow_id] = new.run_id
        return new.run_id

    def _signal(self, run_id: str, dispatch: WrittenDispatch, *, started: bool) -> None:
        starts = None if started else dispatch.workflow_type
        self._signals.append(
            {
                "run_id": run_id,
                "name": dispatch.signal,
                "payload": dispatch.payload,
                "control": False,
                "start_type": starts,
                "start_input": None if starts is None else dispatch.input,
            }
        )


def a_new_run(dispatch: WrittenDispatch, now_ms: int) -> NewRun:
    """The run a dispatch that names a type starts."""
    assert dispatch.workflow_type is not None
    return NewRun(
        run_id=new_run_id(now_ms),
        workflow_id=dispatch.workflow_id,
        type=dispatch.workflow_type,
        input_text=dispatch.input,
        at_ms=now_ms,
        wake_at_ms=now_ms + dispatch.delay_ms,
        start_key=dispatch.start_key,
    )
