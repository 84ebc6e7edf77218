"""Deliveries as they came in, each once, and written together: one statement for many costs a fraction of one for each."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch
from gateway.storage.columns import to_ms
from gateway.storage.dispatches import write_dispatches
from gateway.storage.documents import delivery_document, delivery_from_document
from gateway.storage.keys import key
from gateway.storage.prepared import PreparedFor, prepared_insert
from gateway.storage.sql.blobs import keep_new_blobs, read_blob
from gateway.storage.sql.tables import deliveries
from policies.canonical import canonical, digest
from policies.model import Digest

_KNOWN = PreparedFor(lambda keys: select(deliveries.c.key).where(deliveries.c.key.in_(keys)))
_INSERT = prepared_insert(deliveries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A delivery, and what it sets going."""

    delivery: Delivery
    dispatches: Sequence[Dispatch]


def record_deliveries(connection: Connection, arrived: Sequence[Arrived], *, now_ms: int) -> list[bool]:
    """Of each, whether it was new; what is known already changes nothing, whatever it holds this time.

    Another gateway may write the same one meanwhile: the later of the two fails by its key, and finds it when it is repeated.
    """
    keys = [key(each.delivery.connection, each.delivery.id) for each in arrived]
    known = {row[0] for row in _KNOWN.run(connection, sorted(set(keys)))} if keys else set()
    new: dict[str, Arrived] = {}
    answers = [_first(name, each, known, new) for name, each in zip(keys, arrived, strict=True)]
    bodies = {name: digest("delivery", each.delivery.body) for name, each in new.items()}
    _INSERT.run_many(connection, [_row(name, new[name].delivery, bodies[name]) for name in sorted(new)])
    keep_new_blobs(connection, "delivery", {bodies[name]: each.delivery.body for name, each in new.items()})
    write_dispatches(connection, list(_told_once(new.values())), now_ms=now_ms)
    return answers


def _first(name: str, each: Arrived, known: Container[str], new: dict[str, Arrived]) -> bool:
    """Whether nobody knows it yet, in which case it joins the new ones."""
    return name not in known and new.setdefault(name, each) is each


def _told_once(arrived: Iterable[Arrived]) -> Iterator[Dispatch]:
    """What they set going. A workflow is not told the same again in one breath: when it acts on that, all of them are kept."""
    last: dict[str, Dispatch] = {}
    for each in arrived:
        for dispatch in each.dispatches:
            before = last.get(dispatch.workflow_id)
            if before is None or replace(before, id=dispatch.id) != dispatch:
                last[dispatch.workflow_id] = dispatch
                yield dispatch


def _row(name: str, delivery: Delivery, body: Digest) -> dict[str, object]:
    document = canonical(delivery_document(delivery))
    return {"key": name, "received_at": to_ms(delivery.received_at), "body": body, "document": document}


def read_delivery(connection: Connection, its_connection: str, id: str) -> Delivery | None:
    """As recorded."""
    found = select(deliveries.c.document, deliveries.c.body).where(deliveries.c.key == key(its_connection, id))
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    body = read_blob(connection, row.body)
    assert body is not None, "a delivery names its body's blob"
    return delivery_from_document(json.loads(row.document), body)
