"""Dispatches become starts and signals, in the order they were written, each exactly once.

One unit of work takes them and writes what they mean. What is said to a workflow that runs goes into its inbox; if it
does not run, a dispatch that names a type starts it. What `wake`s a parked run makes it ready in the same statement, so
there is no moment in which a signal lies in the inbox of a run that sleeps for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from gateway.durable.sql.beginning import NewRun, begin_runs
from gateway.durable.sql.identity import new_run_id
from gateway.durable.sql.inbox import lock_live, put_in_inboxes
from gateway.durable.sql.tables import runs
from gateway.storage.dispatches import WrittenDispatch, take_dispatches

_BATCH = 256


@dataclass(slots=True)
class Taken:
    """What dispatches came to. started: runs that began, by id. signalled: runs whose inbox grew."""

    count: int = 0
    started: dict[str, NewRun] = field(default_factory=dict)
    signalled: set[str] = field(default_factory=set)

    def add(self, more: Taken) -> None:
        """The next batch."""
        self.count = more.count
        self.started |= more.started
        self.signalled |= more.signalled

    @property
    def full(self) -> bool:
        """There may be more."""
        return self.count == _BATCH


def take(connection: Connection, now_ms: int) -> Taken:
    """The unit of work."""
    taken = Taken()
    batch = take_dispatches(connection, limit=_BATCH)
    taken.count = len(batch)
    if batch:
        _Round(connection, now_ms, taken).carry_out(batch)
    return taken


@dataclass(slots=True)
class _Round:
    connection: Connection
    now_ms: int
    taken: Taken
    live: dict[str, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    starts: dict[str, NewRun] = field(default_factory=dict)
    signals: list[dict[str, object]] = field(default_factory=list)

    def carry_out(self, batch: Sequence[WrittenDispatch]) -> None:
        self._look_up(batch)
        for dispatch in batch:
            self._decide(dispatch)
        begin_runs(self.connection, list(self.starts.values()))
        put_in_inboxes(self.connection, self.signals, self.now_ms)
        self.taken.started = {new.run_id: new for new in self.starts.values()}
        self.taken.signalled = {str(row["run_id"]) for row in self.signals}

    def _look_up(self, batch: Sequence[WrittenDispatch]) -> None:
        self.live = lock_live(self.connection, {dispatch.workflow_id for dispatch in batch})
        keys = {dispatch.start_key for dispatch in batch if dispatch.start_key is not None}
        if keys:
            self.keys = set(self.connection.scalars(select(runs.c.start_key).where(runs.c.start_key.in_(keys))))

    def _decide(self, dispatch: WrittenDispatch) -> None:
        run_id = self.live.get(dispatch.workflow_id)
        if run_id is None:
            run_id = self._start(dispatch)
            started = True
        elif dispatch.signal is None:
            return
        else:
            started = False
        if run_id is not None and dispatch.signal is not None:
            self._signal(run_id, dispatch, started=started)

    def _start(self, dispatch: WrittenDispatch) -> str | None:
        if dispatch.workflow_type is None or dispatch.start_key in self.keys:
            return None
        if dispatch.start_key is not None:
            self.keys.add(dispatch.start_key)
        new = NewRun(
            run_id=new_run_id(self.now_ms),
            workflow_id=dispatch.workflow_id,
            type=dispatch.workflow_type,
            input_text=dispatch.input,
            at_ms=self.now_ms,
            wake_at_ms=self.now_ms + dispatch.delay_ms,
            start_key=dispatch.start_key,
        )
        self.starts[dispatch.workflow_id] = new
        self.live[dispatch.workflow_id] = new.run_id
        return new.run_id

    def _signal(self, run_id: str, dispatch: WrittenDispatch, *, started: bool) -> None:
        starts = None if started else dispatch.workflow_type
        self.signals.append(
            {
                "run_id": run_id,
                "name": dispatch.signal,
                "payload": dispatch.payload,
                "control": False,
                "start_type": starts,
                "start_input": None if starts is None else dispatch.input,
            }
        )
