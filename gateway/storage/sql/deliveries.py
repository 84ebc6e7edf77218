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
from gateway.storage.sql.blobs import keep_blobs, read_blob
from gateway.storage.sql.tables import deliveries
from gateway.storage.sql.upsert import insert_new
from policies.canonical import canonical, digest


def record_delivery(connection: Connection, delivery: Delivery, dispatches: Sequence[Dispatch], *, now_ms: int) -> bool:
    """False, and nothing changes, if it is known. Two gateways at once: the later one waits for the other."""
    body = digest("delivery", delivery.body)
    row = {
        "key": key(delivery.connection, delivery.id),
        "received_at": to_ms(delivery.received_at),
        "body": body,
        "document": canonical(delivery_document(delivery)),
    }
    if not insert_new(connection, deliveries, row):
        return False
    keep_blobs(connection, "delivery", [(body, delivery.body)])
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
