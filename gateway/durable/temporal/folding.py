"""One step of a run, as a local activity: what has come in goes into the fold, and what follows comes out, as documents.

The process keeps the executions it folded last, each under the token of its last step; a run that was elsewhere
meanwhile, or whose step Temporal did not take, is folded anew from its events. A step has no effect but its result, and
the claims of what it was sent, so that it may run any number of times.
"""

from __future__ import annotations

import secrets
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from temporalio import activity

from gateway.durable.attempts import AttemptFailed, Succeeded
from gateway.durable.commands import RunActivity
from gateway.durable.execution import Execution
from gateway.durable.outcomes import attempt_number, record_lost, record_outcome
from gateway.durable.payloads import attributes_text
from gateway.durable.port import HistoryEvent, NonDeterministic, PayloadTooLarge, UnknownWorkflow, Workflow
from gateway.durable.revival import effective, undone
from gateway.durable.stepping import Received, due_activities, step, underway, wake_at
from gateway.durable.temporal.ends import Left, ending_of, left_over
from gateway.durable.temporal.events import event_document, event_from, whole_ms
from gateway.durable.temporal.steps import iso, nothing, received, started, state_document, stuck, void
from gateway.durable.temporal.wire import STEP, Document

_KEPT = 512
"""Executions kept in memory."""
STEP_LIMIT = 1_500_000
"""Bytes, compressed, one step may add to a history: Temporal refuses more than 2 MB at once."""

Claim = Callable[[Sequence[str], str, str], Awaitable[set[str]]]
"""(dispatches, run, workflow) → those that belong to another run."""


class Folding:
    """The folds of this process. lease: seconds without a sign of life after which an attempt's process is taken for dead."""

    def __init__(self, *, workflows: Mapping[str, Workflow], claim: Claim, lease: float, folded: Callable[[str, str], None]) -> None:
        self._workflows = workflows
        self._claim = claim
        self._lease = lease
        self._folded = folded
        self._kept: OrderedDict[str, Execution] = OrderedDict()

    @activity.defn(name=STEP)
    async def step(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """The local activity; see `interpreter.Run` for both documents."""
        others = await self._claimed_by_others(wanted)
        if not wanted["token"] and wanted["begun"]["dispatch"] in others:
            return void(wanted, others)
        execution = self._kept.pop(wanted["token"] or "", None)
        if execution is None and wanted["token"] and wanted["events"] is None:
            return nothing(wanted, missing=True)
        try:
            if execution is None:
                execution = self._begun(wanted)
            result = self._fold(execution, wanted, others)
        except (NonDeterministic, UnknownWorkflow, PayloadTooLarge) as problem:
            if execution is not None:
                execution.close()
            if wanted["token"] and wanted["events"] is None:
                return nothing(wanted, missing=True)  # to be told again with all there is
            return stuck(wanted, f"{type(problem).__name__}: {problem}")
        for command, _ in wanted["outcomes"]:
            self._folded(wanted["execution"], command)
        self._keep(result["token"], execution)
        return result

    def close(self) -> None:
        """Let go of everything kept."""
        while self._kept:
            self._kept.popitem()[1].close()

    async def _claimed_by_others(self, wanted: Document) -> set[str]:
        new = [entry["dispatch"] for entry in wanted["inbox"] if entry["dispatch"] and not entry["claimed"]]
        if not wanted["token"] and wanted["begun"]["dispatch"]:
            new.append(wanted["begun"]["dispatch"])
        if not new:
            return set()
        return await self._claim(new, wanted["run_id"], wanted["begun"]["workflow_id"])

    def _keep(self, token: str, execution: Execution) -> None:
        self._kept[token] = execution
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1].close()

    # --- folding ---------------------------------------------------------------------------

    def _begun(self, wanted: Document) -> Execution:
        workflow = self._workflows.get(wanted["type"])
        if workflow is None:
            raise UnknownWorkflow(f"no workflow '{wanted['type']}' here; this code knows {', '.join(sorted(self._workflows))}")
        events = [event_from(document) for document in wanted["events"] or []]
        first = not events
        if first:
            events = [started(wanted)]
        revived = wanted["revive"] is not None and wanted["revive"]["by"] is not None
        if revived:
            events = _revived(events, wanted["revive"]["by"], datetime.fromisoformat(wanted["at"]))
        execution = Execution(workflow, events)
        if first:
            execution.uncommitted.extend(events)
        elif revived:
            execution.uncommitted.append(events[-1])
        elif wanted["revive"] is not None:  # left by the embedded engine, perhaps in the middle of an attempt
            for pending in underway(execution):
                record_lost(execution, pending, datetime.fromisoformat(wanted["at"]))
        return execution

    def _fold(self, execution: Execution, wanted: Document, others: set[str]) -> Document:
        at = datetime.fromisoformat(wanted["at"])
        execution.settle(at)
        for command, outcome in wanted["outcomes"]:
            _record(execution, command, outcome, at)
        inbox, doubles = _inbox(wanted, others)
        again = _taken_back(execution) if wanted["revive"] is not None and wanted["revive"]["by"] is not None else []
        used = step(execution, inbox, at)
        left = [entry for entry in inbox if entry not in used]
        ends: Left | None = None
        if execution.ending is not None:
            ends = left_over(execution, wanted["type"], left, at)
            used += ends.dropped
        else:
            for pending in due_activities(execution, at):
                execution.record("AttemptStarted", {"command": pending.id, "attempt": attempt_number(pending)}, at)
        events = [event_document(event) for event in execution.uncommitted]
        _require_small(events)
        execution.committed()
        return {
            **nothing(wanted),
            "token": secrets.token_hex(8),
            "events": events,
            "consumed": [*doubles, *(entry.ord for entry in used)],
            "again": again,
            "pending": list(execution.pending),
            "attempts": [] if ends else self._to_start(execution, wanted),
            "wake_at": iso(wake_at(execution)),
            "state": state_document(execution, wanted),
            "ending": ending_of(execution),
            "successor": ends.successor if ends else None,
        }

    def _to_start(self, execution: Execution, wanted: Document) -> list[Document]:
        found: list[Document] = []
        for pending in underway(execution):
            command = pending.command
            if pending.id in wanted["running"] or not isinstance(command, RunActivity):
                continue
            attempt = {
                "command": pending.id,
                "activity": command.name,
                "arguments": list(command.arguments),
                "attempt": attempt_number(pending),
            }
            found.append({**attempt, "timeout": command.timeout, "heartbeat": command.heartbeat, "lease": self._lease})
        return found


def _revived(events: list[HistoryEvent], by: str, at: datetime) -> list[HistoryEvent]:
    failure: Any = next(event for event in reversed(events) if event.kind == "WorkflowFailed")
    attributes: dict[str, Any] = {"commands": list(failure.attributes["commands"]), "by": by}
    return [*events, HistoryEvent(sequence=len(events) + 1, at=max(whole_ms(at), events[-1].at), kind="Revived", attributes=attributes)]


def _require_small(events: list[Document]) -> None:
    text = attributes_text(events)
    if len(text) > STEP_LIMIT and (size := len(zlib.compress(text.encode()))) > STEP_LIMIT:
        raise PayloadTooLarge(f"one step of this run would write {size} bytes, more than the {STEP_LIMIT} Temporal takes at once")


def _taken_back(execution: Execution) -> list[Document]:
    """What had been said to the run and is undone by its revival lies in its inbox again."""
    place = max(place for place, event in enumerate(execution.events) if event.kind == "Revived")
    commands: Any = execution.events[place].attributes["commands"]
    undo = [event for event in effective(execution.events[:place]) if undone(event, commands)]
    said = [event.attributes for event in undo if event.kind in {"SignalConsumed", "SignalDropped"}]
    return [
        {"name": what["name"], "payload": what["payload"], "control": False, "dispatch": None, "starts": None, "claimed": True}
        for what in said
    ]


def _record(execution: Execution, command: str, outcome: Document, at: datetime) -> None:
    pending = execution.pending.get(command)
    if pending is None or not pending.underway:
        return  # an operator gave it up meanwhile
    match outcome["outcome"]:
        case "succeeded":
            record_outcome(execution, pending, Succeeded(result=outcome["result"]), at)
        case "failed":
            what = {key: outcome[key] for key in ("kind", "message", "permanent", "retry_after")}
            record_outcome(execution, pending, AttemptFailed(**what), at)
        case "lost":
            record_lost(execution, pending, at)
        case "handed over":
            execution.record("HandedOver", {"command": pending.id}, at)


def _inbox(wanted: Document, others: set[str]) -> tuple[list[Received], list[int]]:
    """What counts, and what was sent a second time."""
    doubles = [entry["ord"] for entry in wanted["inbox"] if entry["dispatch"] in others and not entry["claimed"]]
    seen: set[str] = set()
    counted = []
    for entry in wanted["inbox"]:
        if entry["ord"] in doubles:
            continue
        if entry["dispatch"] is not None and entry["dispatch"] in seen:
            doubles.append(entry["ord"])
            continue
        seen.add(entry["dispatch"] or "")
        counted.append(received(entry, started=wanted["begun"]["dispatch"]))
    return counted, doubles
