"""The pure fold of a history over a workflow: used for running, for recovery and for audit replay alike.

`Execution(workflow, events)` drives the coroutine through what its history says happened: every outcome event resumes
the branch that waits for it, and every command the code then asks for must be what the history recorded as asked for.
A difference in kind, name or arguments raises NonDeterministic with both sides. Past the end of the history the same
object goes on live: `record` adds an event, applies it, and adds the intents and the ending that follow from it.

No clock, no socket, no event loop: a coroutine that awaits anything but its context fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from gateway.durable.commands import Branch, Command, ContinuedAsNew, RunActivity, schedule_from_document
from gateway.durable.context import Context
from gateway.durable.ending import (
    Cancelled,
    Completed,
    Continued,
    Ending,
    Failed,
    activity_failed,
    ending_event,
    ending_of,
    first_of,
)
from gateway.durable.kinds import COMPARED, ENDINGS, INTENTS, KNOWN, NOTES, OUTCOMES, shown
from gateway.durable.payloads import attributes_text, decoded
from gateway.durable.port import HistoryEvent, NonDeterministic, Signal, Workflow
from gateway.durable.revival import effective
from gateway.durable.strands import Pending, Strand
from policies.model import Json

__all__ = ["Cancelled", "Completed", "Continued", "Ending", "Execution", "Failed", "Pending"]


class Execution:
    """One run of a workflow, folded from its history. Close it when done with it."""

    def __init__(self, workflow: Workflow, events: Sequence[HistoryEvent]) -> None:
        if not events or events[0].kind != "WorkflowStarted":
            raise NonDeterministic(f"history: expected WorkflowStarted first, found {events[0].kind if events else 'nothing'}")
        self.events = list(events)
        self.uncommitted: list[HistoryEvent] = []
        self.pending: dict[str, Pending] = {}
        self._unrecorded: dict[str, Pending] = {}
        self.ending: Ending | None = None
        self.now = events[0].at
        self.workflow_id = str(events[0].attributes["workflow_id"])
        self.run_id = str(events[0].attributes["run_id"])
        self._workflow = workflow
        self._strands: dict[str, Strand] = {}
        self._queue: deque[tuple[Strand, Any, Exception | None]] = deque()
        self._versions: dict[str, int] = {}
        self._marked = {str(e.attributes["marker"]): _whole(e.attributes["version"]) for e in events if e.kind == "VersionMarked"}
        self._new_marks: list[tuple[str, int]] = []
        self._current: Strand | None = None
        self._over = False
        self._ahead = 0
        try:
            self._replay(effective(events))
        except BaseException:
            self.close()
            raise

    def _replay(self, events: Sequence[HistoryEvent]) -> None:
        last = max((place for place, event in enumerate(events) if event.kind != "Revived"), default=0)
        for place, event in enumerate(events):
            self._ahead = last - place
            self._apply(event)

    # --- what the engine uses ----------------------------------------------------------

    @property
    def sequence(self) -> int:
        """The number of the last event."""
        return len(self.events)

    def record(self, kind: str, attributes: Mapping[str, Any], at: datetime) -> None:
        """Add an event, apply it, and add what follows from it. A clock that went backwards does not show in a history."""
        self._append(kind, attributes, at)
        self._apply(self.events[-1])
        self.settle(at)

    def settle(self, at: datetime) -> None:
        """Record what the code has asked for since, and how it ended."""
        for marker, version in self._new_marks:
            self._append("VersionMarked", {"marker": marker, "version": version}, at)
        self._new_marks.clear()
        for pending in list(self._unrecorded.values()):
            self._append(pending.command.intent, {"command": pending.id, **pending.command.attributes(at)}, at)
            self._confirm(self.events[-1])
        if self.ending is not None and not self._over:
            self._over = True
            self._append(*ending_event(self.ending), at)

    def committed(self) -> None:
        """What was new has been written."""
        self.uncommitted.clear()

    def close(self) -> None:
        """Let go of the coroutines."""
        for strand in self._strands.values():
            with suppress(RuntimeError, Exception):  # a workflow's own `finally` that awaits or raises: nobody listens any more
                strand.coroutine.close()
        self._queue.clear()

    # --- what the context uses ---------------------------------------------------------

    def next_uuid(self) -> UUID:
        strand = self._current
        assert strand is not None  # only a workflow's own code asks
        strand.uuids += 1
        return uuid5(UUID(self.run_id), f"{strand.path}#{strand.uuids}")

    def version(self, marker: str, newest: int) -> int:
        if marker not in self._versions:
            if marker in self._marked:
                self._versions[marker] = self._marked[marker]
            elif self._ahead > 0:
                self._versions[marker] = 0  # history goes on: the code that wrote it passed here without a marker
            else:
                self._versions[marker] = newest
                self._new_marks.append((marker, newest))
        return self._versions[marker]

    # --- the fold ----------------------------------------------------------------------

    def _append(self, kind: str, attributes: Mapping[str, Any], at: datetime) -> None:
        text = attributes_text(attributes)
        written: Any = decoded(text)
        moment = max(at.replace(microsecond=at.microsecond // 1000 * 1000), self.events[-1].at)  # what databases keep
        event = HistoryEvent(sequence=len(self.events) + 1, at=moment, kind=kind, attributes=written, text=text)
        self.events.append(event)
        self.uncommitted.append(event)

    def _apply(self, event: HistoryEvent) -> None:
        attributes: Mapping[str, Any] = event.attributes
        if event.kind not in KNOWN:
            unknown = f"history: event {event.sequence} is '{event.kind}', which this code does not know"
            raise NonDeterministic(f"{unknown}; code: older than it, update admit")
        if event.kind in INTENTS:
            self._confirm(event)
            return
        if event.kind in ENDINGS:
            self._check_ending(event)
            return
        if event.kind not in NOTES:
            self._check_all_recorded(event)
            self.now = event.at
        match event.kind:
            case "WorkflowStarted":
                self._begin(self._workflow(Context(self), _own(attributes["input"])), "", None, 0)
            case "ActivityCompleted":
                self._resolve(event, value=_own(attributes["result"]))
            case "ActivityFailed":
                self._resolve(event, error=activity_failed(attributes))
            case "AttemptFailed":
                pending = self._waiting(event)
                pending.underway = False
                pending.failures += 1
                pending.due = _moment(attributes["next_at"])
                pending.problem = f"{attributes['activity']}: {attributes['kind']}: {attributes['message']}"
            case "AttemptLost":
                pending = self._waiting(event)
                pending.underway = False
                pending.lost += 1
                pending.due = event.at
            case "AttemptStarted":
                self._waiting(event).underway = True
            case "HandedOver":
                self._waiting(event).underway = False
            case "RetryRequested":
                self._waiting(event).due = event.at
            case "ScheduleChanged":
                pending = self._waiting(event)
                pending.schedule = schedule_from_document(attributes["schedule"])
                pending.due = _moment(attributes["next_at"])
            case "TimerFired" | "WaitTimedOut":
                self._resolve(event, value=None)
            case "SignalConsumed":
                self._resolve(event, value=Signal(name=attributes["name"], payload=_own(attributes["payload"])))
            case "CancelRequested":
                self.ending = Cancelled(by=attributes["by"])
            case "LimitReached":
                message = f"{attributes['events']} events; a workflow that goes on for so long continues as new"
                self.ending = Failed(kind="HistoryTooLong", message=message, commands=())
            case "Revived":
                for command in attributes["commands"]:
                    self._try_anew(command, event.at)
            case "VersionMarked" | "SignalDropped" | "Discarded":
                pass
        self._drain()

    def _drain(self) -> None:
        while self._queue and self.ending is None:
            strand, value, error = self._queue.popleft()
            self._current = strand
            try:
                command = strand.coroutine.send(value) if error is None else strand.coroutine.throw(error)
            except StopIteration as stop:
                self._strand_ended(strand, stop.value, None)
            except ContinuedAsNew as request:
                self.ending = Continued(input=request.input)
            except NonDeterministic:
                raise
            except Exception as problem:  # the workflow's own edge: whatever it raises is how it ended
                self._strand_ended(strand, None, problem)
            else:
                self._issue(strand, command)
        if self.ending is not None:
            self._unrecorded.clear()

    def _issue(self, strand: Strand, command: Any) -> None:
        if not isinstance(command, Command):
            misuse = TypeError(f"a workflow may await only what its context offers, found {type(command).__name__}")
            self._queue.appendleft((strand, None, misuse))
            return
        strand.issued += 1
        pending = Pending(id=f"{strand.path}{strand.issued}", command=command, strand=strand)
        self.pending[pending.id] = self._unrecorded[pending.id] = pending
        if isinstance(command, RunActivity):
            pending.schedule = command.schedule
        if isinstance(command, Branch):
            pending.branches, pending.open, pending.errors = [None] * len(command.branches), len(command.branches), []
            for place, coroutine in enumerate(command.branches):
                self._begin(coroutine, f"{pending.id}/{place}/", pending, place)
            self._join_if_done(pending)

    def _begin(self, coroutine: Coroutine[Any, Any, Json], path: str, parent: Pending | None, place: int) -> None:
        strand = Strand(coroutine=coroutine, path=path, parent=parent, place=place)
        self._strands[path] = strand
        self._queue.append((strand, None, None))

    def _strand_ended(self, strand: Strand, value: Json, error: Exception | None) -> None:
        del self._strands[strand.path]
        if strand.parent is None:
            self.ending = ending_of(value, error)
            return
        gather = strand.parent
        assert gather.branches is not None
        assert gather.errors is not None
        gather.branches[strand.place] = value
        gather.open -= 1
        if error is not None:
            gather.errors.append(error)
        self._join_if_done(gather)

    def _join_if_done(self, gather: Pending) -> None:
        if gather.open:
            return
        assert gather.errors is not None
        del self.pending[gather.id]
        self._unrecorded.pop(gather.id, None)  # joined before it was written down: no event needs to say so
        if gather.errors:
            self._queue.append((gather.strand, None, first_of(gather.errors)))
        else:
            self._queue.append((gather.strand, gather.branches, None))

    # --- history against code ------------------------------------------------------------

    def _waiting(self, event: HistoryEvent) -> Pending:
        pending = self.pending.get(str(event.attributes["command"]))
        if pending is None:
            raise NonDeterministic(f"history: {shown(event)}; code: {self._asked()}")
        return pending

    def _try_anew(self, command: str, at: datetime) -> None:
        pending = self.pending.get(command)
        if pending is not None:
            pending.underway, pending.failures, pending.lost = False, 0, 0
            pending.since = pending.due = at

    def _resolve(self, event: HistoryEvent, *, value: Any = None, error: Exception | None = None) -> None:
        pending = self._waiting(event)
        if event.kind not in OUTCOMES[pending.command.intent]:
            raise NonDeterministic(f"history: {shown(event)}; code: {pending}")
        del self.pending[pending.id]
        self._queue.append((pending.strand, value, error))

    def _confirm(self, event: HistoryEvent) -> None:
        pending = self._waiting(event)
        identity = pending.command.identity()
        if event.kind != pending.command.intent or any(event.attributes.get(key) != value for key, value in identity.items()):
            raise NonDeterministic(f"history: {shown(event)}; code: {pending}")
        self._unrecorded.pop(pending.id, None)
        pending.since = event.at
        pending.due = pending.command.due(event.at)
        pending.underway = isinstance(pending.command, RunActivity)

    def _check_all_recorded(self, event: HistoryEvent) -> None:
        for pending in self._unrecorded.values():
            raise NonDeterministic(f"history: {shown(event)}; code: {pending}")

    def _check_ending(self, event: HistoryEvent) -> None:
        self._check_all_recorded(event)
        if self.ending is None:
            raise NonDeterministic(f"history: {shown(event)}; code: {self._asked()}")
        kind, attributes = ending_event(self.ending)
        compared = COMPARED[event.kind] if event.kind == kind else ()
        if event.kind != kind or any(event.attributes[key] != decoded(attributes_text({key: attributes[key]}))[key] for key in compared):  # type: ignore[call-overload, index]
            raise NonDeterministic(f"history: {shown(event)}; code: {kind} {attributes_text(attributes)}")
        self._over = True

    def _asked(self) -> str:
        if self.ending is not None:
            kind, attributes = ending_event(self.ending)
            return f"{kind} {attributes_text(attributes)}"
        return "; ".join(str(pending) for pending in self.pending.values()) or "nothing"


def _own(payload: Json) -> Json:
    """A copy for the workflow, which may do with it as it likes."""
    return decoded(attributes_text(payload)) if isinstance(payload, list | dict) else payload


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _whole(value: Any) -> int:
    return int(value)
