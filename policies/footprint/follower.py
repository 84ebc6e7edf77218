"""Follows values from the input through rules, variables, iteration, comprehensions and functions.

An abstract interpretation: every rule is evaluated with `Value`s in place of values. Rego has no recursion,
so that ends; functions are followed once for each kind of arguments they are given. Variables may be used before
the line that binds them, so bodies are gone through until nothing new is learnt, and once more to take notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from policies.bundles.syntax import Module, Node, Program, Ref, Rule, RulePath, nodes, ref_of, static
from policies.footprint import builtins
from policies.footprint.values import (
    DERIVED,
    INPUT,
    ITEM,
    OTHER,
    UNKNOWN,
    At,
    Fields,
    Missing,
    Of,
    Path,
    Plain,
    Shapes,
    Value,
    items_of,
    joined,
    paths_in,
)

Env: TypeAlias = "dict[str, Value]"
_MAX_STEPS = 300_000
_MAX_ROUNDS = 10
_MAX_ALTERNATIVES = 200


class TooMuch(Exception):
    """More ways than can be followed in reasonable time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One reference in one rule."""

    module: Module
    rule: Rule
    ref: Ref
    place: Ref | None = None
    """What to look for in the source, where that is not the reference itself."""

    def lines(self, program: Program) -> tuple[int, ...]:
        """Where it stands."""
        return program.places(self.module).ref(self.place or self.ref, self.rule)

    @property
    def key(self) -> tuple[str, int, Ref]:
        return self.module.path, id(self.rule), self.ref


@dataclass(slots=True)
class Notes:
    """What was seen on the way."""

    reads: set[Path] = field(default_factory=set)
    dynamic: bool = False
    sound: set[tuple[str, int, Ref]] = field(default_factory=set)
    missing: dict[tuple[str, int, Ref], tuple[Site, Missing]] = field(default_factory=dict)
    unfollowed: dict[tuple[str, int, Ref], tuple[Site, str]] = field(default_factory=dict)

    def lost(self) -> Iterator[tuple[Site, Missing]]:
        """References that led somewhere in no context at all."""
        return (found for key, found in self.missing.items() if key not in self.sound)


class Follower:
    """Follows rules of one program under one policy's parameters."""

    def __init__(self, program: Program, shapes: Shapes) -> None:
        self._program = program
        self._shapes = shapes
        self._known: dict[object, Value] = {}
        self._called: set[RulePath] = set()
        self._declared: dict[int, frozenset[str]] = {}
        self._replaced: frozenset[Path] = frozenset()
        self._quiet = 0
        self._steps = 0
        self._module: Module
        self._rule: Rule
        self._locals: frozenset[str] = frozenset()
        self.notes = Notes()

    # --- rules ------------------------------------------------------------------------

    def output(self, path: RulePath) -> None:
        """Follow a rule whose values leave the policy: all it holds counts as read."""
        self._read(self.rule(path))

    def follow(self, paths: Iterable[RulePath]) -> None:
        """Follow all of these rules; a function as it is called, and by itself only where nothing calls it."""
        functions = []
        for path in paths:
            if self._takes_arguments(path):
                functions.append(path)
            else:
                self.output(path)
        for path in functions:
            if path not in self._called:
                self.rule(path, [OTHER] * max(len(rule.arguments) for _, rule in self._program.rules(path)))

    def rule(self, path: RulePath, arguments: Sequence[Value] | None = None) -> Value:
        """What a rule, or a function with these arguments, can be."""
        key = (path, None if arguments is None else tuple(arguments), self._replaced)
        if key not in self._known:
            self._known[key] = OTHER
            self._called.add(path)
            with self._loud():
                self._known[key] = joined(self._definition(module, rule, arguments) for module, rule in self._program.rules(path)) or OTHER
        return self._known[key]

    def _definition(self, module: Module, rule: Rule, arguments: Sequence[Value] | None) -> Value:
        before = getattr(self, "_module", module), getattr(self, "_rule", rule), self._locals
        if id(rule) not in self._declared:
            self._declared[id(rule)] = _locals(rule)
        self._module, self._rule, self._locals = module, rule, self._declared[id(rule)]
        try:
            return joined(self._branch(branch, arguments) for branch in _branches(rule.node))
        finally:
            self._module, self._rule, self._locals = before

    def _branch(self, branch: Node, arguments: Sequence[Value] | None) -> Value:
        env: Env = {}
        head = branch["head"]
        for pattern, value in zip(head.get("args") or (), arguments or (), strict=False):
            self._bind(pattern, value, env)
            if pattern["type"] != "var":
                self._read(value)
        self._body(branch.get("body") or (), env)
        return self._head(head, env)

    def _head(self, head: Node, env: Env) -> Value:
        key, value = head.get("key"), head.get("value")
        steps = list(head.get("ref") or ())[1:]
        found: Value
        if key is not None and value is None:
            found = frozenset({Of(self._term(key, env))})
        else:
            found = self._term(value, env) if value is not None else OTHER
        for step in reversed(steps):
            if step["type"] == "string":
                found = frozenset({Fields(frozenset({(str(step["value"]), found)}))})
            else:
                keys = self._term(step, env)
                found = frozenset({Of(found, keys)})
        return found

    # --- bodies -----------------------------------------------------------------------

    def _body(self, body: Sequence[Node], env: Env) -> None:
        self._settle(body, env)
        if self._quiet:
            return
        if not all(env.values()):
            env.update({name: OTHER for name, value in env.items() if not value})
            self._settle(body, env)
        for expression in body:
            self._expression(expression, env)

    def _settle(self, body: Sequence[Node], env: Env) -> None:
        with self._silent():
            for _ in range(_MAX_ROUNDS):
                before = dict(env)
                for expression in body:
                    self._expression(expression, env)
                if env == before:
                    return

    def _expression(self, expression: Node, env: Env) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise TooMuch
        with self._with(expression.get("with") or (), env):
            terms = expression["terms"]
            if isinstance(terms, list):
                self._read(self._call(terms[0], terms[1:], env))
            elif "symbols" in terms:
                self._some(terms["symbols"], env)
            elif "domain" in terms:
                self._every(terms, env)
            else:
                self._read(self._term(terms, env))

    def _some(self, symbols: Sequence[Node], env: Env) -> None:
        for symbol in symbols:
            if symbol["type"] == "call":
                *names, domain = symbol["value"][1:]
                self._iterate(names, self._term(domain, env), env)
            elif symbol["type"] == "var":
                env.setdefault(str(symbol["value"]), UNKNOWN)

    def _every(self, terms: Node, env: Env) -> None:
        inner = dict(env)
        names = [term for term in (terms.get("key"), terms["value"]) if term is not None]
        self._iterate(names, self._term(terms["domain"], env), inner)
        self._body(terms["body"], inner)

    def _iterate(self, names: Sequence[Node], domain: Value, env: Env) -> None:
        """`some x in d`, `some k, x in d`, `every …`. What is looked at for sure: which items there are."""
        self._note_reads((*path, ITEM) for path in _own_paths(domain))
        self._bind(names[-1], items_of(domain, self._shapes), env)
        if len(names) > 1:
            keys = joined(alternative.keys for alternative in domain if isinstance(alternative, Of))
            self._bind(names[0], keys or OTHER, env)

    @contextmanager
    def _with(self, clauses: Sequence[Node], env: Env) -> Iterator[None]:
        before = self._replaced
        for clause in clauses:
            target = self._absolute(ref_of(clause["target"]), env)
            self._read(self._term(clause["value"], env))
            if target.root == "input":
                self._replaced |= {static(target)}
            elif target.root != "data" or self._is_function(clause["value"], env):
                # Some other function runs instead, with arguments nobody sees here.
                self.notes.dynamic = True
        try:
            yield
        finally:
            self._replaced = before

    # --- terms ------------------------------------------------------------------------

    def _term(self, term: Node, env: Env) -> Value:
        """What a term can be. Looking is not reading: that happens where the value is used."""
        content: Any = term.get("value")
        match term["type"]:
            case "var" | "ref":
                return self._ref(term, env)
            case "call":
                return self._call(content[0], content[1:], env)
            case "array" | "set":
                return frozenset({Of(joined(self._term(item, env) for item in content))})
            case "object":
                return self._object(content, env)
            case "arraycomprehension" | "setcomprehension":
                inner = self._inner(content["body"], env)
                return frozenset({Of(self._term(content["term"], inner))})
            case "objectcomprehension":
                inner = self._inner(content["body"], env)
                return frozenset({Of(self._term(content["value"], inner), self._term(content["key"], inner))})
            case "templatestring":
                for part in content["parts"]:
                    if "terms" in part:
                        self._expression(part, env)
                return DERIVED
        return OTHER

    def _inner(self, body: Sequence[Node], env: Env) -> Env:
        inner = dict(env)
        self._body(body, inner)
        return inner

    def _object(self, pairs: Sequence[Sequence[Node]], env: Env) -> Value:
        if all(key["type"] == "string" for key, _ in pairs):
            return frozenset({Fields(frozenset((str(key["value"]), self._term(value, env)) for key, value in pairs))})
        keys, values = (joined(self._term(pair[number], env) for pair in pairs) for number in (0, 1))
        return frozenset({Of(values, keys)})

    def _ref(self, term: Node, env: Env) -> Value:
        written = ref_of(term)
        steps = () if term["type"] == "var" else term["value"][1:]
        site = Site(module=self._module, rule=self._rule, ref=written)
        if written.root is None:
            found = self._term(term["value"][0], env)
            return self._walk(found, steps, env, site)
        if written.root in env or written.root in self._locals or written.root.startswith("$"):
            return self._walk(env.setdefault(written.root, UNKNOWN), steps, env, site)
        target = self._program.absolute(written, self._module)
        given = len(target.steps) - len(steps)
        prefix = [{"type": "string", "value": step} for step in target.steps[:given]]
        if target.root == "input":
            return self._walk(OTHER if () in self._replaced else INPUT, [*prefix, *steps], env, site)
        if target.root == "data":
            return self._data(target, [*prefix, *steps], env, site)
        return self._walk(env.setdefault(written.root, UNKNOWN), steps, env, site)

    def _data(self, target: Ref, steps: Sequence[Node], env: Env, site: Site) -> Value:
        fixed = static(target)
        for length in range(len(fixed), 0, -1):
            if self._program.rules(fixed[:length]):
                return self._walk(self.rule(fixed[:length]), steps[length:], env, site)
        below = list(self._program.reached(Ref(root="data", steps=fixed)))
        for path in below:
            if not self._takes_arguments(path):
                self._read(self.rule(path))
        for step in steps[len(fixed) :]:
            self._read(self._term(step, env))
        return DERIVED if below else OTHER

    def _walk(self, value: Value, steps: Sequence[Node], env: Env, site: Site) -> Value:
        for term in steps:
            step = _fixed_step(term)
            if step is None:
                self._index(term, value, env)
            further = self._step(value, step, site)
            if further is None:
                return OTHER
            value = further
        if value and not self._quiet:
            self.notes.sound.add(site.key)
        return value

    def _index(self, term: Node, value: Value, env: Env) -> None:
        """`xs[i]`, `xs[{"path": p}]`: an index that is not known binds, and what it holds is compared."""
        if term["type"] == "var" and not self._is_rule(str(term["value"]), env):
            env.setdefault(str(term["value"]), UNKNOWN)
            keys = joined(alternative.keys for alternative in value if isinstance(alternative, Of))
            env[str(term["value"])] |= keys
            self._read(env[str(term["value"])])
        else:
            self._read(self._term(term, env))
            self._bind(term, items_of(value, self._shapes), env)

    def _step(self, value: Value, step: str | int | None, site: Site) -> Value | None:
        """One step further; None where it leads nowhere."""
        found: set[Any] = set()
        missing: Missing | None = None
        for alternative in value:
            match alternative:
                case At():
                    further = self._shapes.step(alternative, step)
                    if isinstance(further, Missing):
                        missing = further
                    else:
                        found |= {self._unless_replaced(at) for at in further}
                case Fields(items):
                    named = joined(item for name, item in items if step is None or name == step)
                    found |= named or OTHER
                case Of(items):
                    found |= items or OTHER
                case Plain.DERIVED:
                    if isinstance(step, str):
                        self._note_unfollowed(site, "comes from a function that is not followed")
                    found |= DERIVED
                case Plain.OTHER:
                    found |= OTHER
        if missing is not None and not found:
            self._note_missing(site, missing)
            return None
        return self._bounded(frozenset(found))

    def _unless_replaced(self, at: Any) -> Any:
        if isinstance(at, At) and any(at.path[: len(path)] == path for path in self._replaced):
            return Plain.OTHER
        return at

    # --- calls ------------------------------------------------------------------------

    def _call(self, operator: Node, terms: Sequence[Node], env: Env) -> Value:
        name = ref_of(operator)
        target = self._absolute(name, env)
        if name.dotted in ("assign", "eq") and len(terms) == 2:
            return self._unify(terms[0], terms[1], env, is_comparison=name.dotted == "eq")
        values = [self._term(term, env) for term in terms]
        if target.root == "data":
            return self._function(static(target), terms, values, env)
        site = Site(module=self._module, rule=self._rule, ref=name)
        return builtins.result(self, str(name.dotted), terms, values, env, site)

    def _function(self, path: RulePath, terms: Sequence[Node], values: list[Value], env: Env) -> Value:
        definitions = self._program.rules(path)
        if not definitions:
            return self._reserved(path, values)
        expected = max(len(rule.arguments) for _, rule in definitions)
        given = values[:expected]
        if self._quiet and not all(given):
            return UNKNOWN
        found = self.rule(path, [value or OTHER for value in given])
        if len(terms) == expected + 1:
            self._bind(terms[-1], found, env)
            self._read(found)
        return found

    def _reserved(self, path: RulePath, values: list[Value]) -> Value:
        for value in values:
            self._read(value)
        if path[:2] == ("admit", "related"):
            self._note_reads([("relations",)])
        return OTHER

    def _unify(self, left: Node, right: Node, env: Env, *, is_comparison: bool) -> Value:
        of_left, of_right = self._term(left, env), self._term(right, env)
        self._bind(left, of_right, env)
        if is_comparison:
            self._bind(right, of_left, env)
            self._read(of_left)
            self._read(of_right)
        return OTHER

    def _bind(self, pattern: Node, value: Value, env: Env) -> None:
        """The variables of a pattern learn what they can be."""
        content = pattern.get("value")
        match pattern["type"]:
            case "var" if not self._is_rule(str(content), env):
                env[str(content)] = self._bounded(env.get(str(content), UNKNOWN) | value)
            case "array":
                for item in content or ():
                    self._bind(item, items_of(value, self._shapes), env)
            case "object":
                for key, item in content or ():
                    step = _fixed_step(key)
                    if item["type"] != "var" or step is not None:
                        site = Site(module=self._module, rule=self._rule, ref=Ref(root=None, steps=(step,)))
                        self._bind(item, self.step(value, step, site), env)

    # --- notes ------------------------------------------------------------------------

    def read(self, value: Value) -> None:
        """The verdict may depend on this value: all of it."""
        self._note_reads(paths_in(value))

    _read = read

    def _note_reads(self, paths: Any) -> None:
        if not self._quiet:
            found = set(paths)
            self.notes.reads |= found
            self.notes.dynamic = self.notes.dynamic or () in found

    def _note_missing(self, site: Site, missing: Missing) -> None:
        if not self._quiet:
            self.notes.missing.setdefault(site.key, (site, missing))

    def note_unfollowed(self, site: Site, why: str) -> None:
        """The schema check cannot look here."""
        if not self._quiet:
            self.notes.unfollowed.setdefault(site.key, (site, why))

    _note_unfollowed = note_unfollowed

    @contextmanager
    def _silent(self) -> Iterator[None]:
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    @contextmanager
    def _loud(self) -> Iterator[None]:
        before, self._quiet = self._quiet, 0
        try:
            yield
        finally:
            self._quiet = before

    # --- names ------------------------------------------------------------------------

    def _absolute(self, ref: Ref, env: Env) -> Ref:
        if ref.root in env or ref.root in self._locals:
            return ref
        return self._program.absolute(ref, self._module)

    def _is_rule(self, name: str, env: Env) -> bool:
        """True for a name that means a rule or an import here, and no variable."""
        if name in env or name in self._locals:
            return False
        return name in ("input", "data") or self._program.absolute(Ref(root=name, steps=()), self._module).root != name

    def _is_function(self, term: Node, env: Env) -> bool:
        if term["type"] not in ("ref", "var"):
            return False
        target = self._absolute(ref_of(term), env)
        return target.root not in ("input", "data", *env, *self._locals) or self._takes_arguments(static(target))

    def _takes_arguments(self, path: RulePath) -> bool:
        return any(rule.arguments for _, rule in self._program.rules(path))

    def _bounded(self, value: Value) -> Value:
        return value if len(value) <= _MAX_ALTERNATIVES else DERIVED

    def step(self, value: Value, step: str | int | None, site: Site) -> Value:
        """One step from a value, noted as a reference of its own."""
        found = self._step(value, step, site)
        if found and not self._quiet:
            self.notes.sound.add(site.key)
        return OTHER if found is None else found

    def bind(self, pattern: Node, value: Value, env: Env) -> None:
        """See `_bind`."""
        self._bind(pattern, value, env)

    @property
    def shapes(self) -> Shapes:
        return self._shapes


def _branches(rule: Node) -> Iterator[Node]:
    """A rule and its `else` branches."""
    branch: Mapping[str, Any] | None = rule
    arguments = rule["head"].get("args")
    while branch is not None:
        yield {**branch, "head": {**branch["head"], "args": arguments}} if arguments else branch
        branch = branch.get("else")


def _locals(rule: Rule) -> frozenset[str]:
    """Names a rule declares: arguments, `some`, `every`, `:=`. They hide rules and imports of the same name."""
    patterns: list[Any] = list(rule.arguments)
    for node in nodes(rule.node):
        terms = node.get("terms")
        if isinstance(terms, list) and ref_of(terms[0]).dotted == "assign":
            patterns.append(terms[1])
        elif isinstance(terms, Mapping) and "symbols" in terms:
            patterns += [part for symbol in terms["symbols"] for part in (symbol["value"][1:-1] if symbol["type"] == "call" else [symbol])]
        elif isinstance(terms, Mapping) and "domain" in terms:
            patterns += [part for part in (terms.get("key"), terms["value"]) if part is not None]
    heads = {id(node["value"][0]) for pattern in patterns for node in nodes(pattern) if node.get("type") == "ref"}
    return frozenset(
        str(node["value"]) for pattern in patterns for node in nodes(pattern) if node.get("type") == "var" and id(node) not in heads
    )


def _fixed_step(term: Node) -> str | int | None:
    match term:
        case {"type": "string", "value": str(name)}:
            return name
        case {"type": "number", "value": int(number)}:
            return number
    return None


def _own_paths(value: Value) -> Iterator[Path]:
    return (alternative.path for alternative in value if isinstance(alternative, At))
