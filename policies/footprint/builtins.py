"""What OPA's builtins give back, where that has a way to the input: the few that hand on what they were given.

All of a builtin's arguments count as read, whatever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.bundles.syntax import Node, Ref
from policies.footprint import terms
from policies.footprint.notes import Site
from policies.footprint.values import DERIVED, OTHER, At, Env, Of, Value, items_of
from policies.values import replace

if TYPE_CHECKING:
    from policies.footprint.frame import Frame

_CLOCK = "time.now_ns"
_SAME_ITEMS = frozenset({"sort", "array.reverse", "array.slice", "array.concat", "or", "and", "minus"})
_ONE_ITEM = frozenset({"max", "min"})
_ITEMS_OF_ITEMS = frozenset({"union", "intersection", "array.flatten"})
_NEW_OBJECTS = frozenset(
    {
        "object.filter", "object.remove", "object.union", "object.union_n", "json.filter", "json.patch", "json.remove",
        "json.unmarshal", "yaml.unmarshal",
    }
)  # fmt: skip


def result(frame: Frame, name: str, arguments: Sequence[Node], values: Sequence[Value], env: Env) -> Value:
    """What a call of a builtin can be."""
    follower, site = frame.follower, frame.site(_ref(name))
    if name == "object.get" and len(values) == 3 and (steps := _fixed_steps(arguments[1])) is not None:
        follower.read(values[2])
        return _get(frame, steps, values, site)
    for value in values:
        follower.read(value)
    if name == _CLOCK:
        follower.notes.read([("time",)])  # the judgement's clock is what the input says it is
    if name == "walk" and len(values) == 2:
        follower.notes.unfollowed(site, "walk visits whatever is there")
        terms.bind(frame, arguments[1], frozenset({Of(items=DERIVED)}), env)
        return OTHER
    if name == "object.get":
        follower.notes.unfollowed(site, "the key is only known at evaluation")
        return DERIVED
    if name in _SAME_ITEMS:
        return frozenset(each for value in values for each in value if isinstance(each, (At, Of))) or OTHER
    if name in _ONE_ITEM:
        return items_of(values[0], follower.shapes)
    if name in _ITEMS_OF_ITEMS:
        return frozenset({Of(items=items_of(items_of(values[0], follower.shapes), follower.shapes))})
    return DERIVED if name in _NEW_OBJECTS else OTHER


def _fixed_steps(key: Node) -> list[str | int] | None:
    """The path a key of `object.get` names, if it is written down."""
    terms = key["value"] if key["type"] == "array" else [key]
    return [term["value"] for term in terms] if all(term["type"] in ("string", "number") for term in terms) else None


def _get(frame: Frame, steps: Sequence[str | int], values: Sequence[Value], site: Site) -> Value:
    """`object.get(x, "key", default)` and `object.get(x, ["a", "b"], default)` read like `x.key` and `x.a.b`."""
    found = values[0]
    for number, step in enumerate(steps):
        ref = Ref(root="object", steps=("get", *steps[: number + 1]))
        found = terms.step_of(frame, found, step, replace(site, ref=ref, place=site.ref))
    return found | values[2]


def _ref(name: str) -> Ref:
    root, *steps = name.split(".")
    return Ref(root=root, steps=tuple(steps))
