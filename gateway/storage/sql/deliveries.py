"""Deliveries as they came in, each once."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.storage.columns import to_ms
from gateway.storage.dispatches import write_dispatches
from gateway.storage.documents import delivery_document, delivery_from_document
from gateway.storage.keys import key
from gateway.storage.sql.blobs import keep_blob, read_blob
from gateway.storage.sql.tables import deliveries
from policies.canonical import canonical


def record_delivery(connection: Connection, delivery: Delivery, dispatches: Sequence[Dispatch], *, now_ms: int) -> bool:
    """False, and nothing changes, if it is known. Two gateways at once: one meets the other's key, and looks again."""
    its_key = key(delivery.connection, delivery.id)
    if connection.scalar(select(deliveries.c.received_at).where(deliveries.c.key == its_key)) is not None:
        return False
    connection.execute(
        deliveries.insert(),
        {
            "key": its_key,
            "received_at": to_ms(delivery.received_at),
            "body": keep_blob(connection, "delivery", delivery.body),
            "document": canonical(delivery_document(delivery)),
        },
    )
    write_dispatches(connection, dispatches, now_ms=now_ms)
    return True


def read_delivery(connection: Connection, its_connection: str, id: str) -> Delivery | None:
    """As recorded."""
    found = select(deliveries.c.document, deliveries.c.body).where(deliveries.c.key == key(its_connection, id))
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    body = read_blob(connection, row.body)
    assert body is not None, "a delivery names its body's blob"
    return delivery_from_document(json.loads(row.document), body)
