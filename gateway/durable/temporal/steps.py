"""The documents a step gives back, and what it makes of those it gets."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

import structlog

from gateway.durable.execution import Execution
from gateway.durable.payloads import encoded
from gateway.durable.port import HistoryEvent
from gateway.durable.stepping import Received, last_problem, ordered_by, underway, wake_at
from gateway.durable.temporal.ends import ending_of
from gateway.durable.temporal.events import event_document, event_from, started_event, whole_ms
from gateway.durable.temporal.wire import Document

log = structlog.get_logger(__name__)


def state_document(execution: Execution, wanted: Document) -> Document:
    """How the run stands, for its memo."""
    common = nothing(wanted)["state"] | {"started_at": iso(execution.events[0].at)}
    ending = ending_of(execution)
    if ending is not None:
        at = next(event.at for event in reversed(execution.events) if event.kind in _ENDED)
        return {**common, "status": ending["status"], "result": ending.get("result"), "error": ending.get("said"), "ended_at": iso(at)}
    running = bool(underway(execution))
    if running:
        return {**common, "status": "running", "wake_at": None}
    return {**common, "status": "parked", "wake_at": iso(wake_at(execution)), "error": last_problem(execution)}


_ENDED = frozenset({"WorkflowCompleted", "WorkflowFailed", "WorkflowCancelled", "ContinuedAsNew"})


def nothing(wanted: Document, *, missing: bool = False) -> Document:
    """A step that changes nothing."""
    started_at = iso(whole_ms(datetime.fromisoformat(wanted["started_at"])))
    state = {"run_id": wanted["run_id"], "status": "parked", "started_at": started_at}
    state |= {"ended_at": None, "wake_at": None, "result": None, "error": None}
    return {
        "missing": missing,
        "stuck": False,
        "token": wanted["token"],
        "events": [],
        "consumed": [],
        "again": [],
        "pending": [],
        "attempts": [],
        "wake_at": None,
        "state": state,
        "ending": None,
        "successor": None,
    }


def void(wanted: Document, others: Collection[str]) -> Document:
    """Started a second time for the same dispatch: there is no such run. What else was said to it starts the next, if it may."""
    rest = nothing(wanted)
    state = {**rest["state"], "status": "void", "ended_at": iso(whole_ms(datetime.fromisoformat(wanted["at"])))}
    starting = [entry for entry in wanted["inbox"] if entry["starts"] is not None and entry["dispatch"] not in others]
    successor: Document | None = None
    if starting:
        type, input = starting[0]["starts"]
        inbox = [{**entry, "starts": None, "claimed": True} for entry in starting]
        successor = {"type": type, "input": input, "continues": None, "inbox": inbox}
    return {**rest, "state": state, "ending": {"kind": "void"}, "successor": successor}


def iso(moment: datetime | None) -> str | None:
    """As documents hold it."""
    return None if moment is None else moment.isoformat()


def stuck(wanted: Document, problem: str) -> Document:
    """This code cannot go on with it: it rests, visibly. It can be cancelled."""
    order = next((entry for entry in wanted["inbox"] if entry["control"] and entry["name"] == "cancel"), None)
    events = [] if wanted["events"] else [event_document(started(wanted))]
    rest = {**nothing(wanted), "token": secrets.token_hex(8), "pending": wanted["running"]}
    if order is None:
        log.error("run is stuck", workflow=wanted["begun"]["workflow_id"], run=wanted["run_id"], problem=problem)
        return {**rest, "stuck": True, "events": events, "state": {**rest["state"], "error": problem}}
    by, last = ordered_by(received(order)), event_from((events or wanted["events"])[-1])
    at = max(whole_ms(datetime.fromisoformat(wanted["at"])), last.at)
    events.append(event_document(HistoryEvent(sequence=last.sequence + 1, at=at, kind="WorkflowCancelled", attributes={"by": by})))
    state = {**rest["state"], "status": "cancelled", "error": f"cancelled by {by}", "ended_at": iso(at)}
    consumed = [entry["ord"] for entry in wanted["inbox"]]
    return {**rest, "events": events, "consumed": consumed, "pending": [], "state": state, "ending": {"kind": "cancelled"}}


def started(wanted: Document) -> HistoryEvent:
    """The first event of the run."""
    begun, at = wanted["begun"], datetime.fromisoformat(wanted["started_at"])
    continues: str | None = begun["continues"]
    return started_event(
        workflow_id=begun["workflow_id"], run_id=wanted["run_id"], type=wanted["type"], continues=continues, input=begun["input"], at=at
    )


def received(entry: Document, started: str | None = None) -> Received:
    """An entry as the fold takes it. started: the dispatch that started this run, which starts no other."""
    starts = entry["starts"]
    if started is not None and entry["dispatch"] == started:
        starts = None  # this run was started for it
    pair = None if starts is None else (starts[0], encoded(starts[1], "the input"))
    return Received(ord=entry["ord"], name=entry["name"], payload=entry["payload"], control=entry["control"], starts=pair)
