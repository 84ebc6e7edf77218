"""The Rego texts an engine evaluates: every asked-for rule of some policies in one pass, in a pinned world.

Both adapters build on these, so that they cannot differ in what is pinned. A text depends only
on packages, rule names and the bundle: the library keeps every distinct text it ever saw, so
whatever varies from one evaluation to the next is read at run time, from `input` or from a
function the worker supplies:

    {"document": …, "now": nanoseconds, "parameters": [of the first policy, …] where they differ and are not short}

Found by comparing with `opa eval` and by measuring, and kept by the exam:

- What `with` puts in place has to be a variable of its own: `with input as input.document` in a
  comprehension is evaluated in the wrong input (an empty set instead of the denials), or
  refused with "illegal value".
- A bare `r := data.p.deny` makes the whole query undefined when that rule is; a comprehension
  around each rule is never undefined: `[]` says "undefined", `[value]` says "this value".
- What is evaluated under a `with` is remembered for that expression alone, and OPA makes an expression of each
  comprehension: a policy's rules stand in one comprehension more, or what they share is evaluated for each of them.
- `with input.parameters as …` copies the whole input (400 kB: 7 ms). `object.union` copies one
  level; parameters that all policies of the pass share are written into the document itself.
- Parameters are the bundle's own, so where they are short they stand in the text: read at run time, those of eight starters
  take a twentieth of the evaluation of a small change. One document for policies of equal parameters saved nothing to speak of.
- Every `with` costs 4 to 20 µs, a fifth of a small evaluation in all. So the clock is pinned, and
  a builtin walled off, only where the syntax trees of the bundle's modules hold its name at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from policies.engines.port import PolicyQuery, PolicyValues
from policies.engines.reserved import BLOCKED_BUILTINS, blocker
from policies.errors import EngineCrashed
from policies.model import Json, JsonObject
from policies.values import value

Asked = tuple[tuple[str, tuple[str, ...]], ...]
"""Packages with the rules asked of each."""

_CLOCK = "time.now_ns"
_PINNED = (_CLOCK, *BLOCKED_BUILTINS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_QUOTED = r'\["(?:[^"\\]|\\.)*"\]'
_PACKAGE = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER}|{_QUOTED})*")
_COMPONENT = re.compile(rf'({_IDENTIFIER})|\["((?:[^"\\]|\\.)*)"\]')

_written_before: dict[int, tuple[JsonObject, bytes]] = {}
_WRITTEN_AT_MOST = 512
_WORTH_KEEPING = 8192
"""Bytes: what is larger takes long to be read too, and must not fill the memory with what a repository says for itself."""
_ALIKE_IN_REGO = re.compile(rb"(?!.*(\d{16}|NaN|Infinity))[ -~]*")
"""JSON that is surely the same value as a term of Rego: its texts are more, and its numbers others, than what Rego's scanner takes."""


@value
class Pass:
    """Queries made into one: `answer := …`, as a query and as a rule, and what is given to it."""

    wanted: Asked
    text: str
    given: bytes

    def values(self, answer: Json) -> dict[str, PolicyValues]:
        """OPA's answer by package: rule → value, undefined rules absent. Raises EngineCrashed for what can be no answer."""
        match answer:
            case [list(policies)] if len(policies) == len(self.wanted):
                return {package: _defined(names, rules) for (package, names), rules in zip(self.wanted, policies, strict=True)}
            case _:
                raise _no_answer(answer)


def _defined(names: Iterable[str], rules: Json) -> PolicyValues:
    if not isinstance(rules, dict) or rules.keys() != set(names):
        raise _no_answer(rules)
    return {rule: value[0] for rule, value in rules.items() if isinstance(value, list) and value}


def _no_answer(found: Json) -> EngineCrashed:
    return EngineCrashed(f"expected the values of every rule asked for, found {str(found)[:100]}")


def reached_by(trees: Iterable[object]) -> frozenset[str]:
    """Which of the pinned builtins these syntax trees could possibly call: all whose last name occurs anywhere in them."""
    names: set[str] = set()
    for tree in trees:
        _collect(tree, names)
    return frozenset(builtin for builtin in _PINNED if builtin.rpartition(".")[2] in names)


def one_pass(
    queries: Sequence[PolicyQuery], document: bytes, now: datetime, pinned: frozenset[str], *, source: str = "input", in_text: int = 0
) -> Pass:
    """The pass over these queries; `source`: the expression that gives the evaluation what varies.

    in_text: bytes of parameters that may stand in the text, of an engine that reads a text once.
    Raises ValueError where a package is named twice: its values would have one key.
    """
    wanted = tuple((query.package, query.rules) for query in queries)
    if len({package for package, _ in wanted}) < len(wanted):
        raise ValueError(f"expected each package once in an evaluation, found {[package for package, _ in wanted]}")
    parameters = tuple(_written(query.parameters) for query in queries)
    own = len(set(parameters)) > 1
    short = own and sum(map(len, parameters)) <= in_text and all(map(_ALIKE_IN_REGO.fullmatch, parameters))
    whole = _with_parameters(document, b"null" if own else parameters[0])
    given = b'{"document":%b,"now":%d,"parameters":[%b]}' % (whole, nanoseconds(now), b",".join(parameters) if own and not short else b"")
    places = parameters if short else tuple(b"given.parameters[%d]" % number for number in range(len(queries))) if own else ()
    return Pass(wanted=wanted, text=pass_text(wanted, places, pinned, source), given=given)


@lru_cache(maxsize=4096)
def pass_text(wanted: Asked, own_parameters: tuple[bytes, ...], pinned: frozenset[str], source: str) -> str:
    """Binds `answer` to `[[{rule: [value] or []} of each policy]]`.

    own_parameters: of each policy, as JSON or where they are given; none = those of the document.
    """
    lines = [f"given := {source}", "document := given.document"]
    clock = ""
    if _CLOCK in pinned:
        lines.append("now := given.now")
        clock = f" with {_CLOCK} as now"
    for number, (package, rules) in enumerate(wanted):
        place = "document"
        if own_parameters:
            place = f"document{number}"
            lines.append(f'{place} := object.union(document, {{"parameters": {own_parameters[number].decode()}}})')
        lines.append(
            f"[p{number}] := [rules | rules := {_rules_of(package, rules)}] with input as {place}{clock} {walled(pinned)}".rstrip()
        )
    answers = ", ".join(f"p{number}" for number in range(len(wanted)))
    return f"answer := [[{answers}] |\n\t" + "\n\t".join(lines) + "\n]"


@lru_cache(maxsize=64)
def walled(pinned: frozenset[str]) -> str:
    """`with` clauses that put a raising rule before each of these builtins.

    `opa.runtime` has no arguments to raise about, so it answers an empty object, as it does in the library.
    """
    walls = {name: blocker(name) if arguments else "{}" for name, arguments in BLOCKED_BUILTINS.items() if name in pinned}
    return " ".join(f"with {name} as {wall}" for name, wall in walls.items())


def _rules_of(package: str, rules: Iterable[str]) -> str:
    return "{" + ", ".join(f"{json.dumps(rule)}: [v | v := {reference(package, rule)}]" for rule in rules) + "}"


def _written(parameters: JsonObject) -> bytes:
    """The JSON of a policy's parameters, made once: they are the bundle's own and stay what they are.

    Known by identity, so what is remembered is held: no other object can have its number meanwhile.
    """
    known = _written_before.get(id(parameters))
    if known is not None:
        return known[1]
    written = json.dumps(dict(parameters), ensure_ascii=False).encode()
    if len(written) <= _WORTH_KEEPING:
        if len(_written_before) >= _WRITTEN_AT_MOST:
            _written_before.clear()
        _written_before[id(parameters)] = (parameters, written)
    return written


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
