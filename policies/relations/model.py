"""An authorization model as frozen values: what may be related to what, and how relations follow from others.

OpenFGA's schema 1.1 with its words. A model from the DSL and one from JSON are equal when
they mean the same: the place a piece was read from is carried along for messages, and not compared.
Separate from reading (`dsl`, `json_form`), from judging it (`soundness`) and from using it (`check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the DSL text; both count from 1. `file` where the model is made of several."""

    line: int
    column: int
    file: str | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}"
        return f"{self.file}, {place}" if self.file else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """One of the users a relation may be written with: `user`, `user:*` or `team#member`, perhaps `with` a condition."""

    type: str
    relation: str | None = None
    wildcard: bool = False
    condition: str | None = None
    at: Position | None = field(default=None, compare=False, repr=False)
    condition_at: Position | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        name = f"{self.type}:*" if self.wildcard else f"{self.type}#{self.relation}" if self.relation else self.type
        return f"{name} with {self.condition}" if self.condition else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """Related because a tuple says so (`[user, team#member]`; the restrictions are the relation's)."""

    at: Position | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """Related because of another relation to the same object (`writer`)."""

    relation: str
    at: Position | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleToUserset:
    """Related because of a relation to an object this one points to (`member from organization`)."""

    computed: str
    tupleset: str
    at: Position | None = field(default=None, compare=False, repr=False)
    tupleset_at: Position | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """Any of them (`or`)."""

    children: tuple[Rewrite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intersection:
    """All of them (`and`)."""

    children: tuple[Rewrite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The base, unless also the other (`but not`)."""

    base: Rewrite
    subtract: Rewrite


Rewrite: TypeAlias = Direct | Computed | TupleToUserset | Union | Intersection | Difference
"""How a relation comes about (OpenFGA's word: userset rewrite)."""


def leaves(rewrite: Rewrite) -> Iterator[Direct | Computed | TupleToUserset]:
    """The rewrite's parts that are not set operations, left to right."""
    match rewrite:
        case Union(children=children) | Intersection(children=children):
            for child in children:
                yield from leaves(child)
        case Difference(base=base, subtract=subtract):
            yield from leaves(base)
            yield from leaves(subtract)
        case _:
            yield rewrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A relation of a type: its rewrite, and the users tuples may name where the rewrite has a direct part."""

    name: str
    rewrite: Rewrite
    restrictions: tuple[Restriction, ...] = ()
    at: Position | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDefinition:
    """A type of objects and its relations, by name."""

    name: str
    relations: Mapping[str, Relation] = field(default_factory=dict)
    at: Position | None = field(default=None, compare=False, repr=False)


class ParameterKind(StrEnum):
    """The types of condition parameters; `map` (keys are strings) and `list` take the type of their items."""

    ANY = "any"
    BOOL = "bool"
    STRING = "string"
    INT = "int"
    UINT = "uint"
    DOUBLE = "double"
    DURATION = "duration"
    TIMESTAMP = "timestamp"
    IPADDRESS = "ipaddress"
    MAP = "map"
    LIST = "list"

    @property
    def takes_items(self) -> bool:
        return self in (ParameterKind.MAP, ParameterKind.LIST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterType:
    """`string`, `list<int>` …; `items` exactly where the kind takes items."""

    kind: ParameterKind
    items: ParameterType | None = None

    def __str__(self) -> str:
        return f"{self.kind}<{self.items}>" if self.items else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A named CEL expression over typed parameters; a tuple `with` it counts only where it is true."""

    name: str
    parameters: Mapping[str, ParameterType]
    expression: str
    at: Position | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationModel:
    """All types and conditions. Whether they fit together is `soundness.problems`' question."""

    schema_version: str
    types: Mapping[str, TypeDefinition] = field(default_factory=dict)
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    repeated: tuple[TypeDefinition, ...] = field(default=(), compare=False, repr=False)
    """Second definitions of a type's name: kept only so that they can be refused with their place."""
    schema_at: Position | None = field(default=None, compare=False, repr=False)

    def relation(self, type_name: str, relation: str) -> Relation | None:
        """The relation, if the type exists and has it."""
        definition = self.types.get(type_name)
        return None if definition is None else definition.relations.get(relation)
