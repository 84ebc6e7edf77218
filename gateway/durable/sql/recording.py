"""How events are recorded in the database, and read back as they were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from gateway.durable.payloads import attributes_text, decoded
from gateway.durable.port import HistoryEvent
from gateway.durable.sql.tables import events
from gateway.storage.columns import from_ms, to_ms
from gateway.storage.prepared import prepared_insert

_INSERT = prepared_insert(events)


def insert_events(connection: Connection, new: Iterable[tuple[str, HistoryEvent]]) -> None:
    """Record events, each of the run it stands with."""
    _INSERT.run_many(connection, [event_row(run_id, event) for run_id, event in new])


def event_row(run_id: str, event: HistoryEvent) -> dict[str, object]:
    """As stored."""
    return {
        "run_id": run_id,
        "sequence": event.sequence,
        "at": to_ms(event.at),
        "kind": event.kind,
        "attributes": attributes_text(event.attributes) if event.text is None else event.text,
    }


def event_from(row: Any) -> HistoryEvent:
    """As it was recorded."""
    attributes: Any = decoded(row.attributes)
    return HistoryEvent(sequence=row.sequence, at=from_ms(row.at), kind=row.kind, attributes=attributes)
