"""Relationship tuples and models in SQL. The head's row lock lets one edit at a time count changes."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, select, update

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from gateway.domain.relations import (
    Consequences,
    Effect,
    HeldTuple,
    TupleChange,
    TupleEdit,
    TupleKey,
    connection_of,
    effect_of,
    refuse_repeated,
)
from gateway.errors import RelationsMoved
from gateway.storage.database import Database
from gateway.storage.dispatches import write_dispatches
from gateway.storage.keys import key
from gateway.storage.relation_documents import (
    change_document,
    change_from_document,
    held_document,
    held_from_document,
    model_document,
    model_from_document,
)
from gateway.storage.relations import RelationsHead, StoredModel, TupleFilter, TuplePage
from gateway.storage.sql.bundle_history import write_event
from gateway.storage.sql.tables import relation_changes, relation_models, relation_names, relation_places, relation_tuples, relations_head
from gateway.storage.sql.upsert import put
from policies.canonical import canonical

T = TypeVar("T")

_AT_ONCE = 500
"""Rows in one statement: databases count their parameters."""
_HEAD = select(relations_head.c.sequence, relations_head.c.model)
_HELD = update(relation_tuples).where(relation_tuples.c.key == bindparam("its_key")).values(document=bindparam("its_document"))


class SqlRelationStore:
    """`RelationStore` over one database. Each method is one unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> RelationsHead:
        return await self._database.read(_head)

    async def model(self, number: int) -> StoredModel | None:
        return await self._database.read(lambda c: _model(c, number))

    async def put_model(self, model: StoredModel, *, event: AuditEvent, dispatches: Sequence[Dispatch]) -> None:
        def unit(c: Connection) -> None:
            head = _locked(c)
            if head.model + 1 != model.number:
                raise RelationsMoved(f"model {model.number} was to follow, but {head.model} is in force: look again")
            c.execute(relation_models.insert(), {"number": model.number, "document": canonical(model_document(model))})
            c.execute(update(relations_head).values(model=model.number))
            write_event(c, event)
            write_dispatches(c, dispatches, now_ms=_now_ms())

        await self._database.write(unit)

    async def edit(self, edit: TupleEdit, consequences: Consequences) -> Effect:
        refuse_repeated(edit)

        def unit(c: Connection) -> Effect:
            head = _locked(c)
            if head.model != edit.model:
                raise RelationsMoved(f"tuples were checked against model {edit.model}, but {head.model} is in force")
            effect = effect_of(edit, _known(c, edit.keys), sequence=head.sequence)
            _keep(c, effect)
            if effect.changes:
                c.execute(update(relations_head).values(sequence=effect.changes[-1].sequence))
                event, dispatches = consequences(effect)
                write_event(c, event)
                write_dispatches(c, dispatches, now_ms=_now_ms())
            return effect

        return await self._database.write(unit)

    async def tuples(self, filter: TupleFilter, *, limit: int, cursor: int | None = None) -> TuplePage:
        return await self._database.read(lambda c: _page(c, filter, limit, cursor or 0))

    async def held_by(self, source: str) -> Sequence[HeldTuple]:
        return await self._database.read(lambda c: _held_by(c, source))

    async def synced_sources(self, prefix: str) -> Sequence[str]:
        query = select(relation_places.c.source).distinct().order_by(relation_places.c.source)
        return await self._database.read(lambda c: [source for source in c.scalars(query) if source.startswith(prefix)])

    async def keep_names(self, names: Mapping[str, str]) -> None:
        new = await self._database.read(lambda c: _not_kept(c, names))
        if new:
            await self._database.write(lambda c: _keep_names(c, new))

    async def names(self, refs: Collection[str]) -> Mapping[str, str]:
        return await self._database.read(lambda c: _names(c, refs))

    async def named(self, connection: str, names: Collection[str]) -> Mapping[str, Sequence[str]]:
        return await self._database.read(lambda c: _named(c, connection, names))

    async def everything(self) -> tuple[RelationsHead, Sequence[HeldTuple]]:
        return await self._database.read(lambda c: (_head(c), _all(c)))

    async def changes(self, *, after: int, limit: int) -> Sequence[TupleChange]:
        query = (
            select(relation_changes.c.document)
            .where(relation_changes.c.sequence > after)
            .order_by(relation_changes.c.sequence)
            .limit(limit)
        )
        return await self._database.read(lambda c: [change_from_document(json.loads(document)) for document in c.scalars(query)])


def _head(connection: Connection) -> RelationsHead:
    row = connection.execute(_HEAD).one()
    return RelationsHead(sequence=row.sequence, model=row.model)


def _locked(connection: Connection) -> RelationsHead:
    row = connection.execute(_HEAD.with_for_update()).one()
    return RelationsHead(sequence=row.sequence, model=row.model)


def _model(connection: Connection, number: int) -> StoredModel | None:
    document = connection.scalar(select(relation_models.c.document).where(relation_models.c.number == number))
    return None if document is None else model_from_document(json.loads(document))


def _all(connection: Connection) -> list[HeldTuple]:
    documents = connection.scalars(select(relation_tuples.c.document).order_by(relation_tuples.c.ord))
    return [held_from_document(json.loads(document)) for document in documents]


def _held_by(connection: Connection, source: str) -> list[HeldTuple]:
    join = relation_tuples.c.key == relation_places.c.key
    query = select(relation_tuples.c.document).join(relation_places, join).where(relation_places.c.source == source)
    return [held_from_document(json.loads(document)) for document in connection.scalars(query)]


def _not_kept(connection: Connection, names: Mapping[str, str]) -> dict[str, str]:
    known = _names(connection, names)
    callers = _callers(connection, {_call(ref, name) for ref, name in names.items()})
    return {ref: name for ref, name in names.items() if known.get(ref) != name or ref not in callers.get(_call(ref, name), ())}


def _keep_names(connection: Connection, names: Mapping[str, str]) -> None:
    """Both ways: what each is called, and for each name who was ever called so."""
    callers = {call: set(refs) for call, refs in _callers(connection, {_call(ref, name) for ref, name in names.items()}).items()}
    for ref, name in names.items():
        put(connection, relation_names, {"key": key(ref), "document": canonical({"ref": ref, "name": name})})
        callers.setdefault(_call(ref, name), set()).add(ref)
    for call, refs in sorted(callers.items()):
        put(connection, relation_names, {"key": call, "document": canonical({"refs": sorted(refs)})})


def _call(ref: str, name: str) -> str:
    """The key of what is kept of a name: forges tell names apart by connection, not by case."""
    return key("called", connection_of(ref), name.lower())


def _callers(connection: Connection, calls: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for some in _slices(sorted(calls)):
        query = select(relation_names.c.key, relation_names.c.document).where(relation_names.c.key.in_(some))
        found.update({row.key: json.loads(row.document)["refs"] for row in connection.execute(query)})
    return found


def _named(connection: Connection, of: str, names: Collection[str]) -> dict[str, Sequence[str]]:
    calls = {key("called", of, name.lower()): name.lower() for name in names}
    callers = _callers(connection, calls)
    now = _names(connection, {ref for refs in callers.values() for ref in refs})
    found = {calls[call]: sorted(ref for ref in refs if now.get(ref, "").lower() == calls[call]) for call, refs in callers.items()}
    return {name: refs for name, refs in found.items() if refs}


def _names(connection: Connection, refs: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _slices(sorted({key(ref) for ref in refs})):
        for document in connection.scalars(select(relation_names.c.document).where(relation_names.c.key.in_(some))):
            known = json.loads(document)
            found[known["ref"]] = known["name"]
    return found


def _known(connection: Connection, keys: Sequence[TupleKey]) -> dict[TupleKey, HeldTuple]:
    known: dict[TupleKey, HeldTuple] = {}
    for some in _slices(sorted({key(*one) for one in keys})):
        for document in connection.scalars(select(relation_tuples.c.document).where(relation_tuples.c.key.in_(some))):
            held = held_from_document(json.loads(document))
            known[held.tuple.key] = held
    return known


def _keep(connection: Connection, effect: Effect) -> None:
    came = {change.tuple.key: change.sequence for change in effect.changes if change.written}
    replaced = [key(*one) for one, held in effect.held.items() if held is None or one in came]
    for some in _slices(replaced):
        connection.execute(delete(relation_tuples).where(relation_tuples.c.key.in_(some)))
    new = [_row(held, came[one]) for one, held in effect.held.items() if held is not None and one in came]
    for rows in _slices(new):
        connection.execute(relation_tuples.insert(), rows)
    others = [
        {"its_key": key(*one), "its_document": canonical(held_document(held))}
        for one, held in effect.held.items()
        if held is not None and one not in came
    ]
    for documents in _slices(others):
        connection.execute(_HELD, documents)
    touched = {key(*one): held for one, held in effect.held.items()}
    for some in _slices(list(touched)):
        connection.execute(delete(relation_places).where(relation_places.c.key.in_(some)))
    for places in _slices([{"source": s, "key": its} for its, held in touched.items() if held is not None for s in held.synced]):
        connection.execute(relation_places.insert(), places)
    for changes in _slices(effect.changes):
        log = [{"sequence": change.sequence, "document": canonical(change_document(change))} for change in changes]
        connection.execute(relation_changes.insert(), log)


def _row(held: HeldTuple, ord: int) -> dict[str, object]:
    one = held.tuple
    return {
        "key": key(*one.key),
        "ord": ord,
        "object_key": key(one.object),
        "place_key": key(one.object, one.relation),
        "user_key": key(one.user),
        "document": canonical(held_document(held)),
    }


def _page(connection: Connection, filter: TupleFilter, limit: int, cursor: int) -> TuplePage:
    table = relation_tuples.c
    query = select(table.ord, table.document).where(table.ord > cursor).order_by(table.ord).limit(limit + 1)
    if filter.object is not None:
        exact = table.object_key == key(filter.object)
        query = query.where(exact if filter.relation is None else table.place_key == key(filter.object, filter.relation))
    if filter.user is not None:
        query = query.where(table.user_key == key(filter.user))
    rows = connection.execute(query).all()
    shown = rows[:limit]
    more = len(rows) > limit and bool(shown)
    found = tuple(held_from_document(json.loads(row.document)) for row in shown)
    return TuplePage(tuples=found, cursor=shown[-1].ord if more else None)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
