"""Our histories as data in Temporal's: event documents, and how they are found among what Temporal recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from temporalio.api.history.v1 import HistoryEvent as TemporalEvent
from temporalio.converter import DataConverter

from gateway.durable.port import HistoryEvent
from gateway.durable.temporal.wire import COPY, STEP, Document
from policies.model import Json

_MARKER = "core_local_activity"
"""How the SDK names the marker that holds a local activity's result: `data` says which, `result` what it returned."""


def event_document(event: HistoryEvent) -> Document:
    """As recorded."""
    return {"sequence": event.sequence, "at": event.at.isoformat(), "kind": event.kind, "attributes": dict(event.attributes)}


def event_from(document: Document) -> HistoryEvent:
    """The inverse of `event_document`."""
    return HistoryEvent(
        sequence=document["sequence"], at=datetime.fromisoformat(document["at"]), kind=document["kind"], attributes=document["attributes"]
    )


def started_event(*, workflow_id: str, run_id: str, type: str, continues: str | None, input: Json, at: datetime) -> HistoryEvent:
    """The first event of every history."""
    names: dict[str, Json] = {"workflow_id": workflow_id, "run_id": run_id, "type": type, "continues": continues}
    return HistoryEvent(sequence=1, at=whole_ms(at), kind="WorkflowStarted", attributes={**names, "input": input})


def whole_ms(moment: datetime) -> datetime:
    """What histories keep of a time."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def beginning_in(started: TemporalEvent, converter: DataConverter) -> HistoryEvent | tuple[str, str]:
    """The first event of a run that has made no step yet, from Temporal's own; of one that goes on, where its history is."""
    attributes = started.workflow_execution_started_event_attributes
    [begun] = await converter.decode(list(attributes.input.payloads), [dict])
    source = begun["source"] if "source" in begun else (begun["revives"] or {}).get("source")
    if source is not None:  # it has not copied it yet
        return source[0], source[1]
    return started_event(
        workflow_id=begun["workflow_id"],
        run_id=attributes.original_execution_run_id,
        type=attributes.workflow_type.name,
        continues=begun["continues"],
        input=begun["input"],
        at=started.event_time.ToDatetime(UTC),
    )


async def events_in(history: Iterable[TemporalEvent], converter: DataConverter) -> list[HistoryEvent]:
    """Our events, in order: what steps added, after what was copied from an earlier execution of the run."""
    found: list[HistoryEvent] = []
    for event in history:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name != _MARKER or not marker.details["result"].payloads:
            continue
        data = json.loads(marker.details["data"].payloads[0].data)
        if data.get("activity_type") in {STEP, COPY}:
            [recorded] = await converter.decode(list(marker.details["result"].payloads), [dict])
            found += [event_from(document) for document in recorded["events"]]
    return found
