"""Relationship tuples, how they are read, and an index of them in memory.

`TupleReader` is what the evaluator needs from whoever keeps tuples; storage implements it
with an index kept current from the database. Whether a model allows a tuple is the model's question.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, Protocol, runtime_checkable

from policies.model import Json
from policies.relations.names import object_type, relation_name, user_name
from policies.relations.refusals import TupleRefused

LARGEST_CONTEXT = 32 * 1024  # bytes of a condition's context, the server's limit


class Shape(NamedTuple):
    """What a model's type restrictions look at in a tuple."""

    object_type: str
    relation: str
    user_type: str
    facet: str
    condition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipTuple:
    """`object # relation @ user`, counting only where its condition (if it has one) holds. Raises TupleRefused."""

    object: str
    relation: str
    user: str
    condition: str | None = None
    context: Mapping[str, Json] = field(default_factory=dict, hash=False)
    shape: Shape = field(init=False, compare=False, repr=False)
    user_object: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        user = user_name(self.user)
        shape = Shape(object_type(self.object), relation_name(self.relation), user.type, user.facet, self.condition)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "user_object", user.object)
        if self.context and self.condition is None:
            raise TupleRefused(f"{self} has a context without a condition")

    def __str__(self) -> str:
        return f"{self.object}#{self.relation}@{self.user}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What is unique among stored tuples; the condition is not part of it (OpenFGA's rule)."""
        return self.object, self.relation, self.user


def fits(context: Mapping[str, Json]) -> bool:
    """Is a condition's context small enough, and shallow enough to be looked through?"""
    try:
        return not context or len(json.dumps(context).encode()) <= LARGEST_CONTEXT
    except RecursionError:
        return False


def refuse_unwritable(one: RelationshipTuple) -> None:
    """Raises TupleRefused for a tuple no store takes, whatever the model: too large a context, or one that says nothing."""
    if not fits(one.context):
        raise TupleRefused(f"the context of {one} is larger than {LARGEST_CONTEXT} bytes, or nested too deep")
    if one.user == f"{one.object}#{one.relation}":
        raise TupleRefused(f"{one} says nothing: a userset has its own relation anyway")


@runtime_checkable
class TupleReader(Protocol):
    """Reads tuples, synchronously and from memory. What the model no longer allows may be among them.

    `version` changes whenever what can be read changes: two reads under one version are of one state.
    Tuples change only on the thread that reads them, so that no change falls into the middle of one answer.
    """

    @property
    def version(self) -> object: ...

    def stated(self, object: str, relation: str, user: str) -> RelationshipTuple | None:
        """The tuple with exactly this user."""

    def public(self, object: str, relation: str, user_type: str) -> Collection[RelationshipTuple]:
        """The tuples whose user is `user_type:*`."""

    def usersets(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        """The tuples whose user is a userset."""

    def written(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        """All tuples of this object and relation."""

    def naming(self, user: str) -> Collection[RelationshipTuple]:
        """All tuples whose user is exactly this one."""

    def conditional(self, object_type: str, relation: str) -> Collection[RelationshipTuple]:
        """All tuples of this relation of the type that have a condition."""

    def __iter__(self) -> Iterator[RelationshipTuple]:
        """Every tuple."""


class _Row:
    """The tuples of one object and relation."""

    __slots__ = ("by_user", "usersets")

    def __init__(self) -> None:
        self.by_user: dict[str, RelationshipTuple] = {}
        self.usersets: dict[str, RelationshipTuple] = {}


class TupleIndex:
    """Tuples in memory, one per key: a later one of the same key takes the earlier's place."""

    def __init__(self, tuples: Iterable[RelationshipTuple] = ()) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}
        self._by_user: dict[str, dict[tuple[str, str], RelationshipTuple]] = {}
        self._conditional: dict[tuple[str, str], dict[tuple[str, str, str], RelationshipTuple]] = {}
        self._changes = 0
        self._size = 0
        for one in tuples:
            self.add(one)

    @property
    def version(self) -> int:
        return self._changes

    def add(self, one: RelationshipTuple) -> None:
        """Put it in, in place of one with the same key."""
        self.discard(one)
        row = self._rows.setdefault((one.object, one.relation), _Row())
        self._size += 1
        row.by_user[one.user] = one
        if one.shape.facet not in ("", "*"):
            row.usersets[one.user] = one
        self._by_user.setdefault(one.user, {})[one.object, one.relation] = one
        if one.condition is not None:
            self._conditional.setdefault((one.shape.object_type, one.relation), {})[one.key] = one
        self._changes += 1

    def discard(self, one: RelationshipTuple) -> None:
        """Take out the tuple with this key, if there is one."""
        row = self._rows.get((one.object, one.relation))
        if row is None or row.by_user.pop(one.user, None) is None:
            return
        row.usersets.pop(one.user, None)
        if not row.by_user:
            del self._rows[one.object, one.relation]
        named = self._by_user[one.user]
        del named[one.object, one.relation]
        if not named:
            del self._by_user[one.user]
        self._conditional.get((one.shape.object_type, one.relation), {}).pop(one.key, None)
        self._size -= 1
        self._changes += 1

    def stated(self, object: str, relation: str, user: str) -> RelationshipTuple | None:
        row = self._rows.get((object, relation))
        return None if row is None else row.by_user.get(user)

    def public(self, object: str, relation: str, user_type: str) -> Collection[RelationshipTuple]:
        found = self.stated(object, relation, f"{user_type}:*")
        return () if found is None else (found,)

    def usersets(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        row = self._rows.get((object, relation))
        return () if row is None else row.usersets.values()

    def written(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        row = self._rows.get((object, relation))
        return () if row is None else row.by_user.values()

    def naming(self, user: str) -> Collection[RelationshipTuple]:
        return self._by_user.get(user, {}).values()

    def conditional(self, object_type: str, relation: str) -> Collection[RelationshipTuple]:
        return self._conditional.get((object_type, relation), {}).values()

    def __iter__(self) -> Iterator[RelationshipTuple]:
        for row in self._rows.values():
            yield from row.by_user.values()

    def __len__(self) -> int:
        return self._size


class LayeredTuples:
    """Contextual tuples over stored ones, seen by one question only.

    As in OpenFGA, a contextual tuple stands in for the stored one where a plain user is looked up;
    usersets, parents and public tuples are read from both.
    """

    def __init__(self, contextual: Iterable[RelationshipTuple], stored: TupleReader) -> None:
        self._contextual = TupleIndex(contextual)
        self._stored = stored

    @property
    def version(self) -> object:
        return self._stored.version

    def stated(self, object: str, relation: str, user: str) -> RelationshipTuple | None:
        return self._contextual.stated(object, relation, user) or self._stored.stated(object, relation, user)

    def public(self, object: str, relation: str, user_type: str) -> Collection[RelationshipTuple]:
        return (*self._contextual.public(object, relation, user_type), *self._stored.public(object, relation, user_type))

    def usersets(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        return (*self._contextual.usersets(object, relation), *self._stored.usersets(object, relation))

    def written(self, object: str, relation: str) -> Collection[RelationshipTuple]:
        return (*self._contextual.written(object, relation), *self._stored.written(object, relation))

    def naming(self, user: str) -> Collection[RelationshipTuple]:
        return (*self._contextual.naming(user), *self._stored.naming(user))

    def conditional(self, object_type: str, relation: str) -> Collection[RelationshipTuple]:
        return (*self._contextual.conditional(object_type, relation), *self._stored.conditional(object_type, relation))

    def __iter__(self) -> Iterator[RelationshipTuple]:
        return chain(self._contextual, self._stored)
