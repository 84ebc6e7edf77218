"""The Rego texts an engine evaluates: every asked-for rule of some policies in one pass, in a pinned world.

Both adapters build on these, so that they cannot differ in what is pinned. A text depends only
on packages, rule names and the bundle: the library keeps every distinct text it ever saw, so
whatever varies from one evaluation to the next travels in the input. Found by comparing with
`opa eval` and by measuring, and kept by the exam:

- `with input as input.document` belongs on the outermost expression. Inside a comprehension
  OPA evaluates the value in the wrong input (an empty set instead of the denials), or
  refuses with "illegal value".
- A bare `r := data.p.deny` makes the whole query undefined when that rule is; a comprehension
  around each rule is never undefined: `[]` says "undefined", `[value]` says "this value".
- `with input.parameters as …` copies the whole input (400 kB: 7 ms). `object.union` copies one
  level; parameters that all policies of the pass share are written into the document itself.
- Every `with` costs 4 to 20 µs, a fifth of a small evaluation in all. So the clock is pinned, and
  a builtin walled off, only where the syntax trees of the bundle's modules hold its name at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from policies.engines.port import PolicyQuery, PolicyValues
from policies.engines.reserved import BLOCKED_BUILTINS, blocker
from policies.model import Json

Asked = tuple[tuple[str, tuple[str, ...]], ...]
"""Packages with the rules asked of each."""

_CLOCK = "time.now_ns"
_PINNED = (_CLOCK, *BLOCKED_BUILTINS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_QUOTED = r'\["(?:[^"\\]|\\.)*"\]'
_PACKAGE = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER}|{_QUOTED})*")
_COMPONENT = re.compile(rf'({_IDENTIFIER})|\["((?:[^"\\]|\\.)*)"\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Queries made into one: its text, and the input that goes with it."""

    wanted: Asked
    text: str
    document: bytes

    def values(self, bindings: Mapping[str, Json]) -> dict[str, PolicyValues]:
        """OPA's answer by package: rule → value, undefined rules absent."""
        found: dict[str, PolicyValues] = {}
        for number, (package, _) in enumerate(self.wanted):
            rules = bindings[f"p{number}"]
            assert isinstance(rules, dict)
            found[package] = {rule: value[0] for rule, value in rules.items() if isinstance(value, list) and value}
        return found


def reached_by(trees: Iterable[object]) -> frozenset[str]:
    """Which of the pinned builtins these syntax trees could possibly call: all whose last name occurs anywhere in them."""
    names: set[str] = set()
    for tree in trees:
        _collect(tree, names)
    return frozenset(builtin for builtin in _PINNED if builtin.rpartition(".")[2] in names)


def one_pass(queries: Sequence[PolicyQuery], document: bytes, now: datetime, pinned: frozenset[str]) -> Pass:
    """The pass over these queries. Raises ValueError where a package is named twice: its values would have one key."""
    wanted = tuple((query.package, query.rules) for query in queries)
    if len({package for package, _ in wanted}) < len(wanted):
        raise ValueError(f"expected each package once in an evaluation, found {[package for package, _ in wanted]}")
    parameters = [json.dumps(dict(query.parameters), ensure_ascii=False) for query in queries]
    own = len(set(parameters)) > 1
    text = query_text(wanted, own, pinned)
    whole = _with_parameters(document, b"null" if own else parameters[0].encode())
    if own or _CLOCK in pinned:
        whole = b'{"document":%b,"now":%d,"parameters":[%b]}' % (whole, nanoseconds(now), ",".join(parameters).encode() if own else b"")
    return Pass(wanted=wanted, text=text, document=whole)


@lru_cache(maxsize=4096)
def query_text(wanted: Asked, own_parameters: bool, pinned: frozenset[str]) -> str:
    """Binds `p0`, `p1`, … to `{rule: [value] or []}` of each policy."""
    walls = f" {walled(pinned)}" if pinned else ""
    lines = []
    for number, (package, rules) in enumerate(wanted):
        if own_parameters:
            place = f' with input as object.union(input.document, {{"parameters": input.parameters[{number}]}})'
        else:
            place = " with input as input.document" if _CLOCK in pinned else ""
        clock = f" with {_CLOCK} as input.now" if _CLOCK in pinned else ""
        lines.append(f"p{number} := {_rules_of(package, rules)}{place}{clock}{walls}")
    return ";\n".join(lines)


@lru_cache(maxsize=64)
def walled(pinned: frozenset[str]) -> str:
    """`with` clauses that put a raising rule before each of these builtins.

    `opa.runtime` has no arguments to raise about, so it answers an empty object, as it does in the library.
    """
    walls = {name: blocker(name) if arguments else "{}" for name, arguments in BLOCKED_BUILTINS.items() if name in pinned}
    return " ".join(f"with {name} as {wall}" for name, wall in walls.items())


def _rules_of(package: str, rules: Iterable[str]) -> str:
    return "{" + ", ".join(f"{json.dumps(rule)}: [v | v := {reference(package, rule)}]" for rule in rules) + "}"


def _with_parameters(document: bytes, parameters: bytes) -> bytes:
    """The document with this key written over whatever it held."""
    content = document.strip()
    if not content.startswith(b"{") or not content.endswith(b"}"):
        raise ValueError(f"expected the input to be a JSON object, found {content[:40]!r}")
    head = content[:-1].rstrip()
    return b'%b%b"parameters":%b}' % (head, b"" if head.endswith(b"{") else b",", parameters)


def _collect(tree: object, names: set[str]) -> None:
    if isinstance(tree, str):
        names.add(tree)
    elif isinstance(tree, list):
        for item in tree:
            _collect(item, names)
    elif isinstance(tree, dict):
        for item in tree.values():
            _collect(item, names)


def nanoseconds(moment: datetime) -> int:
    """Since 1970, exactly (a float could not hold them)."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def reference(package: str, rule: str) -> str:
    """`merge.x`, `deny` → `data["merge"]["x"]["deny"]`: safe for any component name."""
    return "data" + "".join(f"[{json.dumps(part)}]" for part in (*components(package), rule))


def components(package: str) -> tuple[str, ...]:
    """`merge["two-person"].rule` → `("merge", "two-person", "rule")`. Raises ValueError for what is no package name."""
    if _PACKAGE.fullmatch(package) is None:
        raise ValueError(f"expected a Rego package such as merge.size, found {package!r}")
    return tuple(plain or json.loads(f'"{quoted}"') for plain, quoted in _COMPONENT.findall(package))


def dotted(parts: Sequence[str]) -> str:
    """The way a package is written: `merge["two-person"].rule`."""
    return "".join(f".{part}" if re.fullmatch(_IDENTIFIER, part) else f"[{json.dumps(part)}]" for part in parts).removeprefix(".")
