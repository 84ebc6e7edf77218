"""Why somebody is related: a proof, made where the answer is found, and told in sentences.

A proof holds the tuples it rests on, so "ana is owner of acme/app because she is in team core,
which owns it" is nothing but the evaluator's own steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from policies.relations.tuples import RelationshipTuple


class Itself(NamedTuple):
    """Every userset has its own relation: `team:core#member` is member of team:core."""

    object: str
    relation: str


class Stated(NamedTuple):
    """A tuple says so, for the user or for everybody of the type."""

    tuple: RelationshipTuple


class Through(NamedTuple):
    """A tuple leads to another object, and the user is related to that one."""

    tuple: RelationshipTuple
    object: str
    relation: str
    rest: Proof


class Follows(NamedTuple):
    """Another relation to the same object implies it."""

    object: str
    relation: str
    rest: Proof


class Together(NamedTuple):
    """All of several are needed, and all are there."""

    parts: tuple[Proof, ...]


class Unless(NamedTuple):
    """What would take it away was looked for and is not there."""

    base: Proof


Proof: TypeAlias = Itself | Stated | Through | Follows | Together | Unless


def tuples(proof: Proof) -> Iterator[RelationshipTuple]:
    """The tuples the proof rests on, from the question's object to the user."""
    match proof:
        case Itself():
            return
        case Stated(tuple=one):
            yield one
        case Through(tuple=one, rest=rest):
            yield one
            yield from tuples(rest)
        case Follows(rest=rest):
            yield from tuples(rest)
        case Together(parts=parts):
            for part in parts:
                yield from tuples(part)
        case Unless(base=base):
            yield from tuples(base)


def sentences(proof: Proof) -> list[str]:
    """The proof's steps in plain words, from the question's object to the user."""
    return list(_sentences(proof))


def _sentences(proof: Proof) -> Iterator[str]:
    match proof:
        case Itself(object=object, relation=relation):
            yield f"{object}#{relation} is {relation} of {object}"
        case Stated(tuple=one):
            yield _stated(one)
        case Through(tuple=one, object=object, relation=relation, rest=rest):
            yield f"{_stated(one)}, and {relation} of {object} counts"
            yield from _sentences(rest)
        case Follows(object=object, relation=relation, rest=rest):
            yield f"being {relation} of {object} is enough"
            yield from _sentences(rest)
        case Together(parts=parts):
            for part in parts:
                yield from _sentences(part)
        case Unless(base=base):
            yield from _sentences(base)
            yield "and nothing that would take it away applies"


def _stated(one: RelationshipTuple) -> str:
    held = f" (the condition {one.condition} holds)" if one.condition else ""
    who = f"every {one.shape.user_type}" if one.shape.facet == "*" else one.user
    return f"{who} is {one.relation} of {one.object}{held}"
