"""The chain's tables: what waits, what is sealed, where the head is. Only a holder of the head's row lock may seal."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from gateway.domain.chain import Entry, EntryKind, Head, Seal, content_hash, sealed
from gateway.errors import StorageError
from gateway.storage.prepared import prepared_insert
from gateway.storage.sql.tables import chain_head, seals, unsealed

_HEAD = select(chain_head.c.position, chain_head.c.hash)
_ENLIST = prepared_insert(unsealed, without={"ord"})
_SEAL = prepared_insert(seals)
_AT_ONCE = 500


def enlist(connection: Connection, kind: EntryKind, id: str, written: bytes) -> None:
    """Have this entry sealed; in the transaction that records it, with what it is from then on."""
    enlist_each(connection, kind, [(id, written)])


def enlist_each(connection: Connection, kind: EntryKind, entries: Sequence[tuple[str, bytes]]) -> None:
    """The same for each of these: its id and what is written, in order."""
    _ENLIST.run_many(connection, [{"kind": kind.value, "ref": id, "content": content_hash(kind, written)} for id, written in entries])


def read_head(connection: Connection) -> Head:
    """Where the chain has got to."""
    return _head(connection.execute(_HEAD).one())


def lock_head(connection: Connection) -> Head:
    """Where the chain has got to, and it stays there until this transaction ends."""
    return _head(connection.execute(_HEAD.with_for_update()).one())


def seal_waiting(connection: Connection, limit: int) -> Head:
    """Seal what waits, oldest first; the new head."""
    head = lock_head(connection)
    waiting = connection.execute(select(unsealed).order_by(unsealed.c.ord).limit(limit)).all()
    if not waiting:
        return head
    made = sealed(head, [_entry(row) for row in waiting])
    for start in range(0, len(made), _AT_ONCE):
        _SEAL.run_many(connection, [_row(seal) for seal in made[start : start + _AT_ONCE]])
        ords = [row.ord for row in waiting[start : start + _AT_ONCE]]
        connection.execute(delete(unsealed).where(unsealed.c.ord.in_(ords)))
    _move_head(connection, head, made[-1].head)
    return made[-1].head


def read_seals(connection: Connection, *, after: int, limit: int) -> list[Seal]:
    """Those that follow position `after`."""
    query = select(seals).where(seals.c.position > after).order_by(seals.c.position).limit(limit)
    return [Seal(position=row.position, entry=_entry(row), hash=row.hash) for row in connection.execute(query)]


def read_waiting(connection: Connection) -> list[Entry]:
    """What is not sealed yet, oldest first."""
    return [_entry(row) for row in connection.execute(select(unsealed).order_by(unsealed.c.ord))]


def _move_head(connection: Connection, old: Head, new: Head) -> None:
    moved = connection.execute(
        update(chain_head)
        .where(chain_head.c.position == old.position, chain_head.c.hash == old.hash)
        .values(position=new.position, hash=new.hash)
    )
    if moved.rowcount != 1:
        raise StorageError("the chain's head moved while it was being sealed; nothing was sealed")


def _head(row: object) -> Head:
    return Head(position=row.position, hash=row.hash)  # type: ignore[attr-defined]


def _entry(row: object) -> Entry:
    return Entry(kind=row.kind, id=row.ref, content=row.content)  # type: ignore[attr-defined]


def _row(seal: Seal) -> dict[str, object]:
    return {
        "position": seal.position,
        "kind": str(seal.entry.kind),
        "ref": seal.entry.id,
        "content": seal.entry.content,
        "hash": seal.hash,
    }
