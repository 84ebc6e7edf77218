"""Relationship tuples and models in memory, beside a `MemoryStorage` that keeps what they set going."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
from gateway.storage.memory import MemoryStorage
from gateway.storage.relation_documents import change_document, model_document
from gateway.storage.relations import RelationsHead, StoredModel, TupleFilter, TuplePage
from policies.canonical import canonical


class MemoryRelationStore:
    """`RelationStore` until the process ends. Each method runs without awaiting, which makes it a transaction."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._models: list[StoredModel] = []
        self._changes: list[TupleChange] = []
        self._names: dict[str, str] = {}
        self._held: dict[TupleKey, tuple[int, HeldTuple]] = {}

    async def head(self) -> RelationsHead:
        self._storage.require_open()
        return RelationsHead(sequence=len(self._changes), model=len(self._models))

    async def model(self, number: int) -> StoredModel | None:
        self._storage.require_open()
        return self._models[number - 1] if 0 < number <= len(self._models) else None

    async def put_model(self, model: StoredModel, *, event: AuditEvent, dispatches: Sequence[Dispatch]) -> None:
        self._storage.require_open()
        if len(self._models) + 1 != model.number:
            raise RelationsMoved(f"model {model.number} was to follow, but {len(self._models)} is in force: look again")
        canonical(model_document(model))
        self._storage.note(event, dispatches)
        self._models.append(model)

    async def edit(self, edit: TupleEdit, consequences: Consequences) -> Effect:
        self._storage.require_open()
        refuse_repeated(edit)
        if len(self._models) != edit.model:
            raise RelationsMoved(f"tuples were checked against model {edit.model}, but {len(self._models)} is in force")
        known = {one: self._held[one][1] for one in edit.keys if one in self._held}
        effect = effect_of(edit, known, sequence=len(self._changes))
        canonical([change_document(change) for change in effect.changes])
        if effect.changes:
            self._storage.note(*consequences(effect))
        came = {change.tuple.key: change.sequence for change in effect.changes if change.written}
        for one, held in effect.held.items():
            if held is None:
                del self._held[one]
            else:
                ord = came[one] if one in came else self._held[one][0]
                self._held[one] = (ord, held)
        self._changes += effect.changes
        return effect

    async def tuples(self, filter: TupleFilter, *, limit: int, cursor: int | None = None) -> TuplePage:
        self._storage.require_open()
        fitting = [(ord, held) for ord, held in sorted(self._held.values(), key=lambda one: one[0]) if _fits(filter, held)]
        rest = [one for one in fitting if one[0] > (cursor or 0)]
        shown = rest[:limit]
        more = len(rest) > limit and bool(shown)
        return TuplePage(tuples=tuple(held for _, held in shown), cursor=shown[-1][0] if more else None)

    async def held_by(self, source: str) -> Sequence[HeldTuple]:
        self._storage.require_open()
        return [held for _, held in self._held.values() if source in held.synced]

    async def synced_sources(self, prefix: str) -> Sequence[str]:
        self._storage.require_open()
        return sorted({source for _, held in self._held.values() for source in held.synced if source.startswith(prefix)})

    async def keep_names(self, names: Mapping[str, str]) -> None:
        self._storage.require_open()
        canonical(dict(names))
        self._names |= names

    async def names(self, refs: Collection[str]) -> Mapping[str, str]:
        self._storage.require_open()
        return {ref: self._names[ref] for ref in refs if ref in self._names}

    async def named(self, connection: str, names: Collection[str]) -> Mapping[str, Sequence[str]]:
        self._storage.require_open()
        wanted = {name.lower() for name in names}
        found: dict[str, list[str]] = {}
        for ref, name in sorted(self._names.items()):
            if name.lower() in wanted and connection_of(ref) == connection:
                found.setdefault(name.lower(), []).append(ref)
        return found

    async def everything(self) -> tuple[RelationsHead, Sequence[HeldTuple]]:
        return await self.head(), [held for _, held in sorted(self._held.values(), key=lambda one: one[0])]

    async def changes(self, *, after: int, limit: int) -> Sequence[TupleChange]:
        self._storage.require_open()
        return self._changes[after : after + limit]


def _fits(filter: TupleFilter, held: HeldTuple) -> bool:
    one = held.tuple
    by_object = filter.object is None or (one.object == filter.object and filter.relation in (None, one.relation))
    return by_object and filter.user in (None, one.user)
