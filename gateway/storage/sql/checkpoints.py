"""Signed heads of the chain, and the key the gateway made itself where none is configured."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, delete, select

from gateway.domain.chain import Flaw, FlawKind
from gateway.domain.checkpoint import (
    Checkpoint,
    SigningKey,
    checkpoint_document,
    checkpoint_flaws,
    checkpoint_from_document,
    thinned,
)
from gateway.storage.sql.chain import lock_head, read_head
from gateway.storage.sql.tables import checkpoints, seals, signing_key
from gateway.storage.sql.upsert import insert_new
from policies.canonical import canonical


def write_checkpoint(connection: Connection, key: SigningKey, at: datetime) -> Checkpoint | None:
    """The present head, signed; None where the last checkpoint by this key is of it already, or nothing is sealed."""
    head = lock_head(connection)
    last = _newest(connection, 2)
    if head.position == 0 or (last and last[-1].head == head and last[-1].key == key.public):
        return None
    if (nearby := thinned(last)) is not None:
        connection.execute(delete(checkpoints).where(checkpoints.c.position == nearby.head.position))
    made = key.checkpoint(head, at)
    connection.execute(delete(checkpoints).where(checkpoints.c.position == head.position))
    connection.execute(checkpoints.insert(), {"position": head.position, "document": canonical(checkpoint_document(made))})
    return made


def read_checkpoints(connection: Connection, *, after: int, limit: int) -> list[Checkpoint]:
    """Those of positions after this one, in order. Raises ValueError for one that cannot be read."""
    query = select(checkpoints.c.document).where(checkpoints.c.position > after).order_by(checkpoints.c.position).limit(limit)
    return [checkpoint_from_document(json.loads(document)) for document in connection.scalars(query)]


def flaws_of_checkpoints(connection: Connection, public_key: str | None, *, limit: int) -> list[Flaw]:
    """What is wrong with any of them."""
    flaws: list[Flaw] = []
    last, count = 0, 0
    while True:
        query = select(checkpoints).where(checkpoints.c.position > last).order_by(checkpoints.c.position).limit(limit)
        rows = connection.execute(query).all()
        if not rows:
            break
        page: list[Checkpoint] = []
        for row in rows:
            try:
                found = checkpoint_from_document(json.loads(row.document))
            except ValueError:
                found = None
            if found is None or found.head.position != row.position:
                message = f"the checkpoint at position {row.position} cannot be read: it has been changed"
                flaws.append(Flaw(kind=FlawKind.CHECKPOINT_CHANGED, position=row.position, message=message))
            else:
                page.append(found)
        positions = [checkpoint.head.position for checkpoint in page]
        hashes = {row.position: row.hash for row in connection.execute(select(seals).where(seals.c.position.in_(positions)))}
        flaws += checkpoint_flaws(page, hashes, public_key=public_key)
        last, count = rows[-1].position, count + len(rows)
    if public_key is not None and count == 0 and read_head(connection).position:
        flaws.append(Flaw(kind=FlawKind.CHECKPOINT_MISSING, message="no checkpoint is kept: nothing speaks for this chain"))
    return flaws


def own_key(connection: Connection, fresh: SigningKey) -> SigningKey:
    """The one that is kept; `fresh` from now on, if there is none."""
    insert_new(connection, signing_key, {"one": 1, "private": fresh.private})
    return SigningKey(private=bytes(connection.scalars(select(signing_key.c.private)).one()))


def _newest(connection: Connection, count: int) -> list[Checkpoint]:
    """In order. One that cannot be read is for verification to name, not for signing."""
    query = select(checkpoints.c.document).order_by(checkpoints.c.position.desc()).limit(count)
    found = []
    for document in connection.scalars(query):
        try:
            found.append(checkpoint_from_document(json.loads(document)))
        except ValueError:
            return []
    return found[::-1]
