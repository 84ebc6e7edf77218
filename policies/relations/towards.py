"""The way to a relation from below: which tuples and which implications lead there.

Walked by `upward` for one user; worked out once per relation, since it is the model's alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from policies.relations.model import Computed, Difference, Direct, Intersection, Relation, Rewrite, TupleToUserset, Union

Node: TypeAlias = tuple[str, str]
"""A relation of a type."""


class Towards:
    """The relations on the way to one, and the steps there: what a relation implies, and what it gives those that point to its object.

    Of an `and` one operand is on the way, of a `but not` the base: whoever is related got there so.
    """

    def __init__(self, relations: Mapping[Node, Relation], target: Node) -> None:
        self._relations = relations
        self.direct: set[Node] = set()
        self.read: set[Node] = set()
        """Whose tuples are looked at on the way."""
        self.public: set[str] = set()
        self.implied: dict[Node, set[str]] = {}
        self.pointed: dict[str, dict[Node, set[str]]] = {}
        seen, waiting = {target}, [target]
        while waiting:
            for source in self._before(*waiting.pop()):
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)

    def _before(self, type_name: str, name: str) -> Iterator[Node]:
        relation = self._relations[type_name, name]
        for leaf in _needed(relation.rewrite):
            match leaf:
                case Direct():
                    self.direct.add((type_name, name))
                    self.read.add((type_name, name))
                    self.public.update(one.type for one in relation.restrictions if one.wildcard)
                    yield from ((one.type, one.relation) for one in relation.restrictions if one.relation)
                case Computed(relation=implying):
                    self.implied.setdefault((type_name, implying), set()).add(name)
                    yield type_name, implying
                case TupleToUserset(computed=computed, tupleset=tupleset):
                    self.read.add((type_name, tupleset))
                    self.pointed.setdefault(computed, {}).setdefault((type_name, tupleset), set()).add(name)
                    parents = {one.type for one in self._relations[type_name, tupleset].restrictions}
                    yield from ((parent, computed) for parent in parents if (parent, computed) in self._relations)


def _needed(rewrite: Rewrite) -> Iterator[Direct | Computed | TupleToUserset]:
    match rewrite:
        case Union(children=children):
            for child in children:
                yield from _needed(child)
        case Intersection(children=children):
            yield from _needed(children[0])
        case Difference(base=base):
            yield from _needed(base)
        case _:
            yield rewrite
