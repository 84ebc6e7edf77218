"""Who holds a relationship tuple: a tuple stays for as long as somebody who wrote it does not take it back.

A source is `person:<token>`, or a place of a forge: `sync:<connection>/repository/<id>`, `sync:<connection>/organization/<id>`.
What a person wrote, no synchronisation deletes or rewrites; what a synchronisation brought, no person deletes here, since
the next pass would bring it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from policies.relations import RelationshipTuple, TupleRefused

_PERSON = "person:"
_SYNC = "sync:"

TupleKey: TypeAlias = tuple[str, str, str]
"""object, relation, user: what is unique among tuples."""


def person_source(token: str) -> str:
    """The source of what is written with this token."""
    return f"{_PERSON}{token}"


def sync_source(place: str) -> str:
    """The source of what a place of a forge says: `work/repository/12`."""
    return f"{_SYNC}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTuple:
    """A tuple and who holds it, sorted; never nobody."""

    sources: tuple[str, ...]
    tuple: RelationshipTuple

    @property
    def by_a_person(self) -> bool:
        """Somebody wrote it, whatever forges say of it."""
        return any(source.startswith(_PERSON) for source in self.sources)

    @property
    def synced(self) -> list[str]:
        """The sources that are a forge's places."""
        return [source for source in self.sources if source.startswith(_SYNC)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleChange:
    """One change of what can be read: the tuple came or was replaced (`written`), or went. sequence: from 1, without gaps."""

    sequence: int
    at: datetime
    source: str
    written: bool
    tuple: RelationshipTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleEdit:
    """What one source wants written and deleted, together. model: number of the model the writes were checked against."""

    source: str
    at: datetime
    model: int
    writes: tuple[RelationshipTuple, ...] = ()
    deletes: tuple[RelationshipTuple, ...] = ()

    @property
    def keys(self) -> list[TupleKey]:
        return [one.key for one in (*self.writes, *self.deletes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an edit comes to. held: how each touched tuple is held afterwards, None = not any more."""

    changes: tuple[TupleChange, ...]
    held: Mapping[TupleKey, HeldTuple | None]

    @property
    def written(self) -> int:
        return sum(change.written for change in self.changes)

    @property
    def deleted(self) -> int:
        return len(self.changes) - self.written


Consequences: TypeAlias = Callable[[Effect], "tuple[AuditEvent, Sequence[Dispatch]]"]
"""What belongs on record and what is set going where an edit changed something. Pure."""


def refuse_repeated(edit: TupleEdit) -> None:
    """Raises TupleRefused where one edit says two things of a tuple."""
    seen: set[TupleKey] = set()
    for one in (*edit.writes, *edit.deletes):
        if one.key in seen:
            raise TupleRefused(f"{one} is given twice: a tuple is written or deleted once in a request")
        seen.add(one.key)


def effect_of(edit: TupleEdit, known: Mapping[TupleKey, HeldTuple], *, sequence: int) -> Effect:
    """What the edit does to what is known of the tuples it names; changes count on from `sequence`. Raises TupleRefused."""
    held: dict[TupleKey, HeldTuple | None] = {}
    changes: list[TupleChange] = []

    def changed(one: RelationshipTuple, *, written: bool) -> None:
        number = sequence + len(changes) + 1
        changes.append(TupleChange(sequence=number, at=edit.at, source=edit.source, written=written, tuple=one))

    for one in edit.writes:
        before = known.get(one.key)
        after = _with(before, one, edit.source)
        if after != before:
            held[one.key] = after
        if before is None or before.tuple != after.tuple:
            changed(after.tuple, written=True)
    for one in edit.deletes:
        before = known.get(one.key)
        if before is None:
            continue
        left = _without(before, edit.source)
        if left != before:
            held[one.key] = left
        if left is None:
            changed(before.tuple, written=False)
    return Effect(changes=tuple(changes), held=held)


def _with(held: HeldTuple | None, one: RelationshipTuple, source: str) -> HeldTuple:
    if held is None:
        return HeldTuple(tuple=one, sources=(source,))
    keeps = source.startswith(_SYNC) and held.by_a_person
    return HeldTuple(tuple=held.tuple if keeps else one, sources=tuple(sorted({*held.sources, source})))


def _without(held: HeldTuple, source: str) -> HeldTuple | None:
    if source.startswith(_PERSON):
        left = tuple(known for known in held.sources if not known.startswith(_PERSON))
        if left == held.sources:
            refusal = TupleRefused(f"{held.tuple} comes from {left[0]}: nobody wrote it here")
            refusal.advice = "change it on the forge; it is deleted here by the next synchronisation"
            raise refusal
    else:
        left = tuple(known for known in held.sources if known != source)
    return HeldTuple(tuple=held.tuple, sources=left) if left else None


def connection_of(ref: str) -> str:
    """Of `user:work/1`: `work`."""
    return ref.partition(":")[2].rpartition("/")[0]
