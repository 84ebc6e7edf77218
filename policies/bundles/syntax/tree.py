"""The parts of OPA's syntax tree (`rego.parse_module`) that the checks look at, as values.

Separate, so that only this file knows how OPA writes its tree down. Terms stay as OPA's JSON
(`{"type": "ref", "value": [...]}`): there are sixteen kinds, and a second hierarchy would hide that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from policies.engines.queries import dotted
from policies.values import value

Node: TypeAlias = Mapping[str, Any]


@value
class Ref:
    """A reference as it is written: `input.change.files[_].path` → root `input`, steps `change, files, None, path`.

    root is None where the reference starts at something other than a name (`f(x).y`, `[1, 2][0]`).
    A step is None where it is only known at evaluation; numbers are steps too.
    """

    root: str | None
    steps: tuple[str | int | None, ...]

    @property
    def dotted(self) -> str | None:
        """`http.send`; None unless every step is a name."""
        if self.root is None or not all(isinstance(step, str) for step in self.steps):
            return None
        return ".".join((self.root, *(str(step) for step in self.steps)))

    def __str__(self) -> str:
        return (self.root or "…") + "".join(
            f".{step}" if isinstance(step, str) else f"[{'_' if step is None else step}]" for step in self.steps
        )


@value
class Import:
    """`import data.lib.teams as t`: `t` stands for root `data`, steps `lib, teams`."""

    alias: str
    target: Ref


@value
class Rule:
    """One rule of a module, whole (`else` branches inside). `name` is the first name of its head."""

    name: str
    node: Node

    @property
    def head(self) -> Node:
        head: Node = self.node["head"]
        return head

    @property
    def is_default(self) -> bool:
        return bool(self.node.get("default"))

    @property
    def arguments(self) -> Sequence[Node]:
        return tuple(self.head.get("args") or ())

    @property
    def is_set(self) -> bool:
        """`name contains …`."""
        return self.head.get("key") is not None and self.head.get("value") is None


@value
class Module:
    """One file of Rego. `package` without the leading `data`."""

    path: str
    source: str
    package: tuple[str, ...]
    imports: tuple[Import, ...]
    rules: tuple[Rule, ...]
    tree: Node

    @property
    def package_name(self) -> str:
        return dotted(self.package)


def module_from_tree(path: str, source: str, tree: Node) -> Module:
    """The module of `rego.parse_module`'s answer."""
    package = tuple(str(term["value"]) for term in tree["package"]["path"][1:])
    rules = tuple(Rule(name=_head_name(node), node=node) for node in tree.get("rules") or ())
    imports = tuple(_import(node) for node in tree.get("imports") or ())
    return Module(path=path, source=source, package=package, imports=imports, rules=rules, tree=tree)


def _head_name(rule: Node) -> str:
    head = rule["head"]
    first = head["ref"][0] if head.get("ref") else {"value": head.get("name", "")}
    return str(first["value"])


def _import(node: Node) -> Import:
    target = ref_of(node["path"])
    last = str(target.steps[-1]) if target.steps else str(target.root)
    return Import(alias=node.get("alias") or last, target=target)


def ref_of(term: Node) -> Ref:
    """The reference a `ref` or `var` term writes."""
    if term["type"] == "var":
        return Ref(root=str(term["value"]), steps=())
    first, *rest = term["value"]
    root = str(first["value"]) if first["type"] == "var" else None
    return Ref(root=root, steps=tuple(_step(step) for step in rest))


def _step(term: Node) -> str | int | None:
    match term:
        case {"type": "string", "value": str(name)}:
            return name
        case {"type": "number", "value": int(number)}:
            return number
    return None


def nodes(node: Any) -> Iterator[Node]:
    """Every object of a tree, outermost first, in the order it is written down. Not recursive: trees may be deep."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            yield here
            waiting.extend(reversed(list(here.values())))
        elif isinstance(here, list):
            waiting.extend(reversed(here))


def references(node: Any) -> Iterator[Ref]:
    """Every reference below a node, and every name a `with` replaces or puts in place."""
    for here in nodes(node):
        if here.get("type") == "ref":
            yield ref_of(here)
        for clause in here.get("with") or ():
            for side in (clause["target"], clause["value"]):
                if side["type"] == "var":
                    yield ref_of(side)


def mentioned(node: Any) -> Iterator[Ref]:
    """Every reference below a node, and every variable that stands by itself: it may be a rule's name."""
    heads: set[int] = set()
    for here in nodes(node):
        if here.get("type") == "ref":
            heads.add(id(here["value"][0]))
            yield ref_of(here)
        elif here.get("type") == "var" and id(here) not in heads:
            yield ref_of(here)
