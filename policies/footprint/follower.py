"""Follows values from the input through rules, variables, iteration, comprehensions and functions.

An abstract interpretation: every rule is evaluated with `Value`s in place of values. Rego has no recursion,
so that ends; functions are followed once for each kind of arguments they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from policies.bundles.syntax import Program, Rule, RulePath
from policies.footprint.documents import Documents
from policies.footprint.frame import Frame
from policies.footprint.names import branches_of, declared_in
from policies.footprint.notes import Notes
from policies.footprint.values import DERIVED, OTHER, Path, Shapes, Value, joined, paths_in

_MAX_STEPS = 150_000
_MAX_ALTERNATIVES = 200


class TooMuch(Exception):
    """More ways than can be followed in reasonable time."""


class Follower:
    """Follows rules of one program under one policy's parameters."""

    def __init__(self, program: Program, shapes: Shapes, documents: Documents | None = None) -> None:
        self.program = program
        self.shapes = shapes
        self.documents = documents
        """The bundle's data, where references into it are to be checked."""
        self.notes = Notes()
        self.replaced: frozenset[Path] = frozenset()
        """Paths of the input that a `with` has put something else in place of, for now."""
        self._known: dict[object, Value] = {}
        self._called: set[RulePath] = set()
        self._declared: dict[int, frozenset[str]] = {}
        self._steps = 0

    def output(self, path: RulePath) -> None:
        """Follow a rule whose values leave the policy: all it holds counts as read."""
        self.read(self.rule(path))

    def follow(self, paths: Iterable[RulePath]) -> None:
        """Follow all of these rules; a function as it is called, and by itself only where nothing calls it."""
        functions = []
        for path in paths:
            if self.takes_arguments(path):
                functions.append(path)
            else:
                self.output(path)
        for path in functions:
            if path not in self._called:
                self.rule(path, [OTHER] * max(len(rule.arguments) for _, rule in self.program.rules(path)))

    def rule(self, path: RulePath, arguments: Sequence[Value] | None = None) -> Value:
        """What a rule, or a function with these arguments, can be."""
        key = (path, None if arguments is None else tuple(arguments), self.replaced)
        if key not in self._known:
            self._known[key] = OTHER
            self._called.add(path)
            with self._taking_notes():
                self._known[key] = joined(self._definitions(path, arguments)) or OTHER
        return self._known[key]

    def _definitions(self, path: RulePath, arguments: Sequence[Value] | None) -> Iterator[Value]:
        for module, rule in self.program.rules(path):
            frame = Frame(self, module, rule, self._declared_in(rule))
            for branch in branches_of(rule):
                yield frame.branch(branch, arguments or ())

    def _declared_in(self, rule: Rule) -> frozenset[str]:
        if id(rule) not in self._declared:
            self._declared[id(rule)] = declared_in(rule)
        return self._declared[id(rule)]

    def takes_arguments(self, path: RulePath) -> bool:
        """True for a function."""
        return any(rule.arguments for _, rule in self.program.rules(path))

    def read(self, value: Value) -> None:
        """The verdict may depend on this value: all of it."""
        self.notes.read(paths_in(value))

    def bounded(self, value: Value) -> Value:
        """The value; or, where it could be too many things, one that counts as read and is not followed any further."""
        if len(value) <= _MAX_ALTERNATIVES:
            return value
        self.read(value)
        return DERIVED

    def spend(self) -> None:
        """One expression more. Raises TooMuch."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise TooMuch

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Without taking notes: what variables can be is not known yet."""
        self.notes.quiet += 1
        try:
            yield
        finally:
            self.notes.quiet -= 1

    @contextmanager
    def _taking_notes(self) -> Iterator[None]:
        before, self.notes.quiet = self.notes.quiet, 0
        try:
            yield
        finally:
            self.notes.quiet = before
