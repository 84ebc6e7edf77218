"""Content-addressed bytes: written once, checked against their digest on the way out.

A large blob is kept in parts: a whole one of 25 MB does not pass MariaDB's 16 MB packets.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from gateway.errors import StorageError
from gateway.storage.sql.tables import blobs
from gateway.storage.sql.upsert import insert_new
from policies.canonical import Kind, digest
from policies.model import Digest

_PART = 1024 * 1024


def keep_blobs(connection: Connection, kind: Kind, contents: Iterable[tuple[Digest, bytes]]) -> None:
    """Keep these bytes under their digests, which the caller has computed already."""
    for name, content in contents:
        # one statement a part: together they would be one large packet again
        for part, start in enumerate(range(0, max(len(content), 1), _PART)):
            row = {"digest": name, "part": part, "kind": kind, "content": content[start : start + _PART]}
            if not insert_new(connection, blobs, row):
                break  # one transaction writes all parts, so where one is known all are


def read_blob(connection: Connection, name: str) -> bytes | None:
    """The bytes. Raises StorageError if they are not what the digest says."""
    return read_blobs(connection, [name]).get(name)


def read_blobs(connection: Connection, names: Iterable[str]) -> dict[str, bytes]:
    """Those of them that are kept. Raises StorageError if one is not what its digest says."""
    wanted = list(names)
    columns = (blobs.c.digest, blobs.c.kind, blobs.c.content)
    rows = connection.execute(select(*columns).where(blobs.c.digest.in_(wanted)).order_by(blobs.c.digest, blobs.c.part))
    parts: dict[str, tuple[Kind, list[bytes]]] = {}
    for name, kind, content in rows:
        parts.setdefault(name, (kind, []))[1].append(content)
    return {name: _checked(name, kind, b"".join(pieces)) for name, (kind, pieces) in parts.items()}


def _checked(name: str, kind: Kind, content: bytes) -> bytes:
    if digest(kind, content) != name:
        raise StorageError(f"the blob {name} has been changed: its bytes have another digest", advice="restore the database from a copy")
    return content
