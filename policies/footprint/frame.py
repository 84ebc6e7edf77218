"""One definition of a rule being followed: its head, its bodies, their expressions.

Variables may be used before the line that binds them, so a body is gone through until nothing new is learnt
about them, and then once more to take notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from policies.bundles.syntax import Module, Node, Ref, Rule, ref_of, static
from policies.footprint import calls, terms
from policies.footprint.notes import Site
from policies.footprint.values import ITEM, OTHER, UNKNOWN, At, Env, Fields, Of, Value, items_of, keys_of

if TYPE_CHECKING:
    from policies.footprint.follower import Follower

_MORE_ROUNDS = 5
"""Beyond one for each expression, which is what variables bound in the opposite order need."""


class Frame:
    """Where following stands: in this rule of this module, whose own names are `declared`."""

    def __init__(self, follower: Follower, module: Module, rule: Rule, declared: frozenset[str]) -> None:
        self.follower = follower
        self.module = module
        self.rule = rule
        self._declared = declared

    # --- heads and bodies -------------------------------------------------------------

    def branch(self, branch: Node, arguments: Sequence[Value]) -> Value:
        """What the rule, or one of its `else` branches, can be."""
        env: Env = {}
        head = branch["head"]
        for pattern, value in zip(head.get("args") or (), arguments, strict=False):
            terms.bind(self, pattern, value, env)
            if pattern["type"] != "var":
                self.follower.read(value)
        self.body(branch.get("body") or (), env)
        return self._head(head, env)

    def _head(self, head: Node, env: Env) -> Value:
        key, value = head.get("key"), head.get("value")
        found: Value
        if key is not None and value is None:
            found = frozenset({Of(items=terms.term(self, key, env))})
        else:
            found = terms.term(self, value, env) if value is not None else OTHER
        for step in reversed(list(head.get("ref") or ())[1:]):
            if step["type"] == "string":
                found = frozenset({Fields(items=frozenset({(str(step["value"]), found)}))})
            else:
                found = frozenset({Of(items=found, keys=terms.term(self, step, env))})
        return found

    def body(self, body: Sequence[Node], env: Env) -> None:
        """Go through a body; `env` learns what its variables can be."""
        self._settle(body, env)
        if self.follower.notes.quiet:
            return
        if not all(env.values()):
            env.update({name: OTHER for name, value in env.items() if not value})
            self._settle(body, env)
        for expression in body:
            self.expression(expression, env)

    def _settle(self, body: Sequence[Node], env: Env) -> None:
        with self.follower.settling():
            for _ in range(len(body) + _MORE_ROUNDS):
                before = dict(env)
                for expression in body:
                    self.expression(expression, env)
                if env == before:
                    return
        self.follower.notes.dynamic = True

    # --- expressions ------------------------------------------------------------------

    def expression(self, expression: Node, env: Env) -> None:
        """One line of a body."""
        self.follower.spend()
        with self._with(expression.get("with") or (), env):
            written = expression["terms"]
            if isinstance(written, list):
                self.follower.read(calls.call(self, written[0], written[1:], env))
            elif "symbols" in written:
                self._some(written["symbols"], env)
            elif "domain" in written:
                self._every(written, env)
            else:
                self.follower.read(terms.term(self, written, env))

    def _some(self, symbols: Sequence[Node], env: Env) -> None:
        for symbol in symbols:
            if symbol["type"] == "call":
                *names, domain = symbol["value"][1:]
                self._iterate(names, terms.term(self, domain, env), env)
            elif symbol["type"] == "var":
                env.setdefault(str(symbol["value"]), UNKNOWN)

    def _every(self, written: Node, env: Env) -> None:
        inner = dict(env)
        names = [name for name in (written.get("key"), written["value"]) if name is not None]
        self._iterate(names, terms.term(self, written["domain"], env), inner)
        self.body(written["body"], inner)

    def _iterate(self, names: Sequence[Node], domain: Value, env: Env) -> None:
        """`some x in d`, `some k, x in d`, `every …`. What is looked at for sure: which items there are."""
        self.follower.notes.read((*here.path, ITEM) for here in domain if isinstance(here, At))
        terms.bind(self, names[-1], items_of(domain, self.follower.shapes), env)
        if len(names) > 1:
            terms.bind(self, names[0], keys_of(domain) or OTHER, env)

    @contextmanager
    def _with(self, clauses: Sequence[Node], env: Env) -> Iterator[None]:
        before = self.follower.replaced
        for clause in clauses:
            target = self.absolute(ref_of(clause["target"]), env)
            self.follower.read(terms.term(self, clause["value"], env))
            if target.root == "input":
                self.follower.replaced |= {static(target)}
            elif target.root != "data" or self._is_function(clause["value"], env):
                # Some other function runs instead, with arguments nobody sees here.
                self.follower.notes.dynamic = True
        try:
            yield
        finally:
            self.follower.replaced = before

    # --- names ------------------------------------------------------------------------

    def site(self, ref: Ref) -> Site:
        """A reference in this rule."""
        return Site(module=self.module, rule=self.rule, ref=ref)

    def is_local(self, name: str, env: Env) -> bool:
        """True for a variable known to be one."""
        return name in env or name in self._declared or name.startswith("$")

    def is_global(self, name: str, env: Env) -> bool:
        """True for a name that means a rule, an import, `input` or `data` here."""
        return not self.is_local(name, env) and self.absolute(Ref(root=name, steps=()), env).root in ("input", "data")

    def absolute(self, ref: Ref, env: Env) -> Ref:
        """The reference behind imports and rules, unless it starts at a variable."""
        if ref.root is None or self.is_local(ref.root, env):
            return ref
        return self.follower.program.absolute(ref, self.module)

    def _is_function(self, term: Node, env: Env) -> bool:
        if term["type"] not in ("ref", "var"):
            return False
        target = self.absolute(ref_of(term), env)
        if target.root is None or self.is_local(target.root, env):
            return False
        return target.root not in ("input", "data") or self.follower.takes_arguments(static(target))
