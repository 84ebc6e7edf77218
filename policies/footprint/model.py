"""A footprint: which facts of the input a policy can look at."""

from __future__ import annotations

from collections.abc import Iterable

from policies.footprint.values import ITEM, Path
from policies.values import ordered_value, value


@ordered_value
class Unfollowed:
    """A reference whose way could not be followed, so that a misspelt name in it would not be noticed."""

    path: str
    line: int
    reference: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reference}: {self.why}"


@value
class Footprint:
    """What one policy reads.

    paths: of the input, sorted: `("change", "files", "[]", "path")`. A path means everything below it, except that one ending
    in `[]` alone means which items there are. Everything a verdict of this policy can depend on is in it.
    dynamic: the policy may look at anything; `paths` is then only what could be seen.
    unfollowed: where the schema check could not look; says nothing about `paths`, which is complete all the same.
    """

    paths: tuple[Path, ...]
    dynamic: bool
    unfollowed: tuple[Unfollowed, ...]

    def reads(self, path: Iterable[str]) -> bool:
        """True if the policy may look at this path of the input, or at something in it."""
        wanted = tuple(path)
        return self.dynamic or any(_meet(read, wanted) for read in self.paths)

    @property
    def written(self) -> tuple[str, ...]:
        """The paths for people: `change.files[].path`."""
        return tuple(written(path) for path in self.paths)


def written(path: Path) -> str:
    """`input.change.files[].path` without the `input.`; the whole input is `input`."""
    return "".join(step if step == ITEM else f".{step}" for step in path).removeprefix(".") or "input"


def _meet(one: Path, other: Path) -> bool:
    return all(a == b or ITEM in (a, b) for a, b in zip(one, other, strict=False))
