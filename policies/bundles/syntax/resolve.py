"""What a reference means: behind import aliases and names of the same package stand paths of `data` and `input`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from policies.bundles.syntax.places import Places
from policies.bundles.syntax.tree import Module, Ref, Rule, mentioned

RulePath: TypeAlias = "tuple[str, ...]"
"""Package and name: `("merge", "size", "deny")`."""


class Program:
    """All modules of a bundle together, as far as names go."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = tuple(modules)
        self._rules: dict[RulePath, list[tuple[Module, Rule]]] = {}
        self._below: dict[RulePath, list[RulePath]] = {}
        self._places: dict[str, Places] = {}
        for module in self.modules:
            for rule in module.rules:
                self._add((*module.package, rule.name), module, rule)

    def _add(self, path: RulePath, module: Module, rule: Rule) -> None:
        if path not in self._rules:
            for length in range(len(path)):
                self._below.setdefault(path[:length], []).append(path)
        self._rules.setdefault(path, []).append((module, rule))

    def places(self, module: Module) -> Places:
        """The lines of a module."""
        if module.path not in self._places:
            self._places[module.path] = Places(module)
        return self._places[module.path]

    def rules(self, path: RulePath) -> tuple[tuple[Module, Rule], ...]:
        """Every definition of a rule, in whichever file."""
        return tuple(self._rules.get(path, ()))

    def paths(self) -> Iterator[RulePath]:
        """Every rule there is."""
        return iter(self._rules)

    def names_of(self, package: tuple[str, ...]) -> frozenset[str]:
        """The rules of a package."""
        return frozenset(path[-1] for path in self._below.get(package, ()) if len(path) == len(package) + 1)

    def absolute(self, ref: Ref, module: Module) -> Ref:
        """The reference behind aliases and package names; itself where it is local or a builtin."""
        for imported in module.imports:
            if ref.root == imported.alias:
                return Ref(root=imported.target.root, steps=(*imported.target.steps, *ref.steps))
        if ref.root is not None and (*module.package, ref.root) in self._rules:
            return Ref(root="data", steps=(*module.package, ref.root, *ref.steps))
        return ref

    def reached(self, ref: Ref) -> Iterator[RulePath]:
        """The rules an absolute reference may evaluate: the one it goes through, or all below it."""
        if ref.root != "data":
            return
        fixed = static(ref)
        yield from (fixed[:length] for length in range(len(fixed) + 1) if fixed[:length] in self._rules)
        yield from self._below.get(fixed, ())

    def behind(self, start: RulePath) -> Iterator[tuple[Module, Rule]]:
        """A rule's definitions and those of every rule it may evaluate, each once."""
        seen, waiting = {start}, [start]
        while waiting:
            for module, rule in self.rules(waiting.pop()):
                yield module, rule
                for ref in mentioned(rule.node):
                    more = [path for path in self.reached(self.absolute(ref, module)) if path not in seen]
                    seen.update(more)
                    waiting.extend(more)


def static(ref: Ref) -> tuple[str, ...]:
    """The steps of a reference up to the first that is not a name."""
    steps: list[str] = []
    for step in ref.steps:
        if not isinstance(step, str):
            break
        steps.append(step)
    return tuple(steps)
