"""The bundle's own data, as far as a policy's references into it go: what is not there now never will be, for bundles do not change.

OPA takes data to come from anywhere and checks no path of it. Here a bundle is all there is, so `data.teems` is a typo.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.bundles.syntax import Program, Ref, nodes, ref_of, static
from policies.footprint.values import NoData, Path
from policies.model import Json


class Documents:
    """What is below `data` in one bundle."""

    def __init__(self, data: Json, program: Program) -> None:
        self._data = data
        self._program = program
        self._replaced = frozenset(_replaced(program))

    def missing(self, path: Path) -> NoData | None:
        """The first step of a path below `data` that is neither data nor a package; None where all is well."""
        if path[:1] == ("admit",) or any(path[: len(replaced)] == replaced for replaced in self._replaced):
            return None
        for number, step in enumerate(path):
            here = self._at(path[:number])
            if isinstance(here, list):
                return None
            known = isinstance(here, dict) and step in here
            if not known and not any(self._program.reached(Ref(root="data", steps=path[: number + 1]))):
                return NoData(path=path[:number], step=step, names=self._names(path[:number]))
        return None

    def _at(self, path: Path) -> Json:
        value: Json = self._data
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _names(self, path: Path) -> tuple[str, ...]:
        value = self._at(path)
        packages = {rule[len(path)] for rule in self._program.paths() if rule[: len(path)] == path and len(rule) > len(path)}
        return tuple(sorted({*(value if isinstance(value, Mapping) else ()), *packages}))


def _replaced(program: Program) -> set[Path]:
    """Paths that a `with` somewhere puts data in place of."""
    targets = (
        program.absolute(ref_of(clause["target"]), module)
        for module in program.modules
        for node in nodes(module.tree)
        for clause in node.get("with") or ()
    )
    return {static(target) for target in targets if target.root == "data"}
