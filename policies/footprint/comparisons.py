"""Comparisons that can never hold: a word that a fact never is (`check.conclusion == "failed"`), or another kind of value.

In a deny such a comparison admits as silently as a misspelt name. OPA's checker finds the second sort only.
`null` is let pass everywhere: to ask for it is to be careful.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from policies.bundles.syntax import Node, Ref
from policies.footprint.values import At, Never, Value, items_of
from policies.schema import Shape, types_of

if TYPE_CHECKING:
    from policies.footprint.frame import Frame

Literal: TypeAlias = "str | int | float | bool"
_KINDS = {"string": ("string",), "number": ("integer", "number"), "boolean": ("boolean",)}


def check(frame: Frame, name: str, arguments: Sequence[Node], values: Sequence[Value]) -> None:
    """Note the constants of a comparison, or of `in`, that the facts beside them never are."""
    if len(arguments) != 2:
        return
    match name:
        case "equal" | "eq" | "neq":
            for number in (0, 1):
                _compare(frame, values[1 - number], arguments[number], words_only=name == "neq")
        case "internal.member_2":
            for item in _items(arguments[1]):
                _compare(frame, values[0], item)
            _compare(frame, items_of(values[1], frame.follower.shapes), arguments[0])


def _items(collection: Node) -> Iterator[Node]:
    if collection["type"] in ("array", "set"):
        yield from collection["value"]


def _compare(frame: Frame, value: Value, constant: Node, *, words_only: bool = False) -> None:
    if constant["type"] not in _KINDS or not value:
        return
    literal: Literal = constant["value"]
    site = frame.site(Ref(root=json.dumps(literal, ensure_ascii=False), steps=()))
    for alternative in value:
        if not isinstance(alternative, At) or _possible(frame.follower.shapes.at(alternative.path), constant["type"], literal, words_only):
            frame.follower.notes.sound(site)
            return
    path, shape = min((here.path, frame.follower.shapes.at(here.path)) for here in value if isinstance(here, At))
    frame.follower.notes.missing(site, Never(path=path, literal=literal, shape=shape))


def _possible(shape: Shape, kind: str, literal: Literal, words_only: bool) -> bool:
    if "enum" in shape:
        return literal in shape["enum"]
    types = types_of(shape)
    return words_only or not types or any(name in types for name in _KINDS[kind])
