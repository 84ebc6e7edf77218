"""Bundles, and the generations that bring them into force together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from gateway.domain.record import Generation
from gateway.errors import GenerationMoved, StorageError
from gateway.storage.documents import generation_document, generation_from_document
from gateway.storage.port import StoredBundle
from gateway.storage.prepared import Prepared
from gateway.storage.sql.blobs import keep_blobs, read_blobs
from gateway.storage.sql.tables import bundles, generations, in_force
from gateway.storage.sql.upsert import insert_new
from policies.canonical import canonical, digest
from policies.model import Digest

_IN_FORCE_KEPT = Prepared(select(in_force.c.number).with_for_update(read=True))


def activate(connection: Connection, new: Sequence[StoredBundle], *, at: datetime, by: str) -> Generation:
    """Count on, unless these bundles are in force already. The row lock lets one gateway count at a time."""
    number = connection.scalar(select(in_force.c.number).with_for_update()) or 0
    before = _generation(connection, number)
    ids = tuple(bundle.id for bundle in new)
    if before is not None and before.bundles == ids:
        return before
    for bundle in new:
        keep_bundle(connection, bundle)
    generation = Generation(number=number + 1, activated_at=at, bundles=ids, by=by)
    connection.execute(generations.insert(), {"number": generation.number, "document": canonical(generation_document(generation))})
    connection.execute(update(in_force).values(number=generation.number))
    return generation


def current_generation(connection: Connection) -> Generation | None:
    """What is in force."""
    number = connection.scalar(select(in_force.c.number))
    return _generation(connection, number or 0)


def require_generation(connection: Connection, number: int) -> None:
    """Raises GenerationMoved unless it is in force, and keeps it there until this transaction ends."""
    rows = _IN_FORCE_KEPT.run(connection)
    found = rows[0][0] if rows else 0
    if found != number:
        raise GenerationMoved(f"judged by generation {number}, but {found} is in force: judge again")


def keep_bundle(connection: Connection, bundle: StoredBundle) -> None:
    """Keep its files as blobs, and which of them it has."""
    digests = {path: digest("file", content) for path, content in bundle.files.items()}
    keep_blobs(connection, "file", ((digests[path], content) for path, content in bundle.files.items()))
    insert_new(connection, bundles, {"digest": bundle.id.digest, "document": canonical(digests)})


def read_bundle(connection: Connection, name: Digest) -> dict[str, bytes] | None:
    """Path → content. Raises StorageError where a file is missing or has been changed."""
    document = connection.scalar(select(bundles.c.document).where(bundles.c.digest == name))
    if document is None:
        return None
    digests: dict[str, str] = json.loads(document)
    found = read_blobs(connection, set(digests.values()))
    missing = sorted(path for path, its in digests.items() if its not in found)
    if missing:
        raise StorageError(f"bundle {name} lacks {', '.join(missing)}", advice="restore the database from a copy")
    return {path: found[its] for path, its in digests.items()}


def _generation(connection: Connection, number: int) -> Generation | None:
    document = connection.scalar(select(generations.c.document).where(generations.c.number == number))
    return None if document is None else generation_from_document(json.loads(document))
