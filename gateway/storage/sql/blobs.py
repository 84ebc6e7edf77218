"""Content-addressed bytes: written once, checked against their digest on the way out.

A large blob is kept in parts: a whole one of 25 MB does not pass MariaDB's 16 MB packets. One that need not be is packed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

from sqlalchemy import Connection, select

from gateway.errors import Erased, StorageError
from gateway.storage.sql.packing import ZLIB, packed, unpacked
from gateway.storage.sql.tables import blobs
from gateway.storage.sql.upsert import insert_new, insert_new_each
from policies.canonical import Kind, digest
from policies.model import Digest

_PART = 1024 * 1024
ERASED: Final = "erased"
"""The kind of a tombstone, which stands where bytes were."""


def keep_blobs(connection: Connection, kind: Kind, contents: Iterable[tuple[Digest, bytes]]) -> None:
    """Keep these bytes under their digests, which the caller has computed already."""
    for name, content in contents:
        _keep(connection, list(_parts(kind, name, content)))


def keep_new_blobs(connection: Connection, kind: Kind, contents: Mapping[Digest, bytes]) -> None:
    """The same for many, which are likely to be new: those of one part together. By name, or two gateways could wait for each other."""
    made = [list(_parts(kind, name, contents[name])) for name in sorted(contents)]
    insert_new_each(connection, blobs, [parts[0] for parts in made if len(parts) == 1])
    for parts in made:
        if len(parts) > 1:
            _keep(connection, parts)


def _keep(connection: Connection, parts: Sequence[Mapping[str, object]]) -> None:
    """One statement a part: together they would be one large packet again."""
    for row in parts:
        if not insert_new(connection, blobs, row):
            break  # one transaction writes all parts, so where one is known all are, or all have been erased


def _parts(kind: Kind, name: Digest, content: bytes) -> Iterator[dict[str, object]]:
    smaller = packed(content)
    row = {"digest": name, "kind": kind, "packing": None if smaller is None else ZLIB}
    kept = content if smaller is None else smaller
    for part, start in enumerate(range(0, max(len(kept), 1), _PART)):
        yield {**row, "part": part, "content": kept[start : start + _PART]}


def erased(name: str, tombstone: bytes) -> Erased:
    """What is said of bytes that were dropped."""
    said = json.loads(tombstone)
    return Erased(f"{name} was erased on {said['at'][:10]}: {said['why']}")


def read_blob(connection: Connection, name: str) -> bytes | None:
    """The bytes. Raises Erased, and StorageError if they are not what the digest says."""
    return read_blobs(connection, [name]).get(name)


def read_blobs(connection: Connection, names: Iterable[str]) -> dict[str, bytes]:
    """Those of them that are kept. Raises Erased, and StorageError if one is not what its digest says."""
    wanted = list(names)
    columns = (blobs.c.digest, blobs.c.kind, blobs.c.packing, blobs.c.content)
    rows = connection.execute(select(*columns).where(blobs.c.digest.in_(wanted)).order_by(blobs.c.digest, blobs.c.part))
    parts: dict[str, tuple[str, str | None, list[bytes]]] = {}
    for name, kind, packing, content in rows:
        parts.setdefault(name, (kind, packing, []))[2].append(content)
    return {name: _checked(name, kind, packing, b"".join(pieces)) for name, (kind, packing, pieces) in parts.items()}


def _checked(name: str, kind: str, packing: str | None, kept: bytes) -> bytes:
    if kind == ERASED:
        raise erased(name, kept)
    try:
        content = unpacked(kept) if packing == ZLIB else kept
    except StorageError as problem:
        raise _changed(name) from problem
    if digest(cast("Kind", kind), content) != name:
        raise _changed(name)
    return content


def _changed(name: str) -> StorageError:
    return StorageError(f"the blob {name} has been changed: its bytes have another digest", advice="restore the database from a copy")
