"""The Rego texts an engine evaluates: every asked-for rule of every policy in one pass, in a pinned world.

Both adapters build on these, so that they cannot differ in what is pinned. The text
depends only on packages and rule names: the library keeps every distinct text it ever saw,
so whatever varies from one evaluation to the next travels in the input, wrapped as

    {"document": …, "now": nanoseconds, "parameters": [of the first policy, of the second, …]}

and is put in its place by `with`. Found by comparing with `opa eval`, and kept by the exam:

- `with input as input.document` belongs on the outermost expression. Inside a comprehension
  OPA evaluates the value in the wrong input (an empty set instead of the denials), or
  refuses with "illegal value".
- A bare `r := data.p.deny` makes the whole query undefined when that rule is; a comprehension
  around each rule is never undefined: `[]` says "undefined", `[value]` says "this value".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from policies.engines.port import PolicyQuery, PolicyValues
from policies.engines.reserved import BLOCKED_BUILTINS, blocker
from policies.model import Json, JsonObject

Asked = tuple[tuple[str, tuple[str, ...]], ...]
"""Packages with the rules asked of each: all that a query's text depends on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_QUOTED = r'\["(?:[^"\\]|\\.)*"\]'
_PACKAGE = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER}|{_QUOTED})*")
_COMPONENT = re.compile(rf'({_IDENTIFIER})|\["((?:[^"\\]|\\.)*)"\]')

WALLS = " ".join(f"with {name} as {blocker(name) if arguments else '{}'}" for name, arguments in BLOCKED_BUILTINS.items())
"""Stand-ins for every builtin that reaches out of the evaluation. OPA cannot replace a builtin
without arguments by a rule, so `opa.runtime` answers an empty object, as it does in the library."""


def asked(queries: Sequence[PolicyQuery]) -> Asked:
    """What a pass over these queries asks. Raises ValueError where a package is named twice: its values would have one key."""
    packages = [query.package for query in queries]
    if len(set(packages)) < len(packages):
        raise ValueError(f"expected each package once in an evaluation, found {packages}")
    return tuple((query.package, query.rules) for query in queries)


@lru_cache(maxsize=4096)
def one_pass(wanted: Asked) -> str:
    """The query that binds `p0`, `p1`, … to `{rule: [value] or []}` of each policy."""
    return "\n".join(f"p{number} := {rules_of(package, rules)} {pinned(number)};" for number, (package, rules) in enumerate(wanted))[:-1]


def rules_of(package: str, rules: Iterable[str]) -> str:
    """An object of all rules, each as a list of no or one value: `{"deny": [v | v := data["merge"]["x"]["deny"]]}`."""
    return "{" + ", ".join(f"{json.dumps(rule)}: [v | v := {reference(package, rule)}]" for rule in rules) + "}"


def pinned(number: int) -> str:
    """The `with` clauses of the policy that comes `number`-th: its input, its parameters, the time, the walls."""
    return f"with input as input.document with input.parameters as input.parameters[{number}] with time.now_ns as input.now {WALLS}"


def wrapped(document: bytes, now: datetime, parameters: Sequence[JsonObject]) -> bytes:
    """The wrapped input. The document's bytes pass through unparsed; keys after it win, so it cannot set the clock."""
    own = json.dumps([dict(each) for each in parameters], ensure_ascii=False).encode()
    return b'{"document":%b,"now":%d,"parameters":%b}' % (document, nanoseconds(now), own)


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


def values_of(wanted: Asked, bindings: Mapping[str, Json]) -> dict[str, PolicyValues]:
    """The answer of `one_pass` by package: rule → value, undefined rules absent."""
    found: dict[str, PolicyValues] = {}
    for number, (package, _) in enumerate(wanted):
        rules = bindings[f"p{number}"]
        assert isinstance(rules, dict)
        found[package] = {rule: value[0] for rule, value in rules.items() if isinstance(value, list) and value}
    return found
