"""Holds bundles and generations against what is sealed of them: by digest, in the decisions and audit events that name them.

What nothing sealed names is not looked at; nor is a repository's own bundle missed, since not every one is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from gateway.domain.chain import Entry, Flaw, FlawKind
from gateway.errors import StorageError
from gateway.storage.documents import GENERATION_DIGEST
from gateway.storage.sql.blobs import read_blob
from gateway.storage.sql.tables import bundles, generations
from policies.bundles.checking import bundle_digest
from policies.canonical import digest


class Looked(set[str]):
    """Digests of bundles that have been looked at: each is told of once, where it is named first."""


def flaws_of_bundles(
    connection: Connection, position: int | None, entry: Entry, named: Sequence[tuple[str, str]], looked: Looked, *, kept: bool = False
) -> Iterator[Flaw]:
    """Of those that `entry` names, by name and digest. kept: one that is not there is missing."""
    for name, its in named:
        if its in looked:
            continue
        looked.add(its)
        document = connection.scalar(select(bundles.c.document).where(bundles.c.digest == its))
        if document is not None and (wrong := _wrong_with(connection, its, document)):
            message = f"bundle '{name}' ({its}), named by {entry.kind} {entry.id}: {wrong}"
            yield Flaw(kind=FlawKind.BUNDLE_CHANGED, position=position, entry=entry.id, message=message)
        elif document is None and kept:
            message = f"bundle '{name}' ({its}), named by {entry.kind} {entry.id}, is gone"
            yield Flaw(kind=FlawKind.BUNDLE_MISSING, position=position, entry=entry.id, message=message)


def flaws_of_generation(
    connection: Connection, position: int | None, entry: Entry, details: Mapping[str, Any], looked: Looked
) -> Iterator[Flaw]:
    """Of the one that this audit event brought into force, and of its bundles; of an event that seals none, nothing."""
    if GENERATION_DIGEST not in details:
        return
    number = details["generation"]
    document = connection.scalar(select(generations.c.document).where(generations.c.number == number))
    if document is None or digest("generation", document) != details[GENERATION_DIGEST]:
        message = (
            f"generation {number}, brought into force by {entry.kind} {entry.id}, {'is gone' if document is None else 'has been changed'}"
        )
        yield Flaw(kind=FlawKind.GENERATION_CHANGED, position=position, entry=entry.id, message=message)
    else:
        named = [(bundle["name"], bundle["digest"]) for bundle in json.loads(document)["bundles"]]
        yield from flaws_of_bundles(connection, position, entry, named, looked, kept=True)


def _wrong_with(connection: Connection, its: str, document: bytes) -> str | None:
    """What is not as the bundle's digest says, by the paths of its files."""
    try:
        files = {path: _content(connection, name) for path, name in json.loads(document).items()}
    except (ValueError, AttributeError):
        return "its list of files has been changed"
    changed = sorted(path for path, content in files.items() if content is None)
    if changed:
        return f"changed or gone: {', '.join(changed)}"
    whole = {path: content for path, content in files.items() if content is not None}
    return None if bundle_digest(whole) == its else "its list of files has been changed"


def _content(connection: Connection, name: str) -> bytes | None:
    try:
        return read_blob(connection, name)
    except StorageError:
        return None
