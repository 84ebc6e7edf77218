"""What is seen while following: what was read, which references led nowhere, which could not be followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.bundles.syntax import Module, Program, Ref, Rule
from policies.footprint.values import Missing, Never, NoData, Path
from policies.values import value


@value
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
    def key(self) -> SiteKey:
        return self.module.path, id(self.rule), self.ref


SiteKey = tuple[str, int, Ref]


class Notes:
    """Taken while following, except on the rounds that only settle what variables can be (`quiet`)."""

    def __init__(self) -> None:
        self.reads: set[Path] = set()
        self.dynamic = False
        self.quiet = 0
        self._sound: set[SiteKey] = set()
        self._missing: dict[SiteKey, tuple[Site, Missing | Never | NoData]] = {}
        self._unfollowed: dict[SiteKey, tuple[Site, str]] = {}

    def read(self, paths: Iterable[Path]) -> None:
        """The verdict may depend on these."""
        if not self.quiet:
            found = set(paths)
            self.reads |= found
            self.dynamic = self.dynamic or () in found

    def sound(self, site: Site) -> None:
        """This reference led somewhere, this once."""
        if not self.quiet:
            self._sound.add(site.key)

    def missing(self, site: Site, missing: Missing | Never | NoData) -> None:
        """This reference led nowhere, or this constant could not be, this once."""
        if not self.quiet:
            self._missing.setdefault(site.key, (site, missing))

    def unfollowed(self, site: Site, why: str) -> None:
        """The schema check cannot look here."""
        if not self.quiet:
            self._unfollowed.setdefault(site.key, (site, why))

    def lost(self) -> Iterator[tuple[Site, Missing | Never | NoData]]:
        """References that led somewhere, and constants that could be, in no context at all."""
        return (found for key, found in self._missing.items() if key not in self._sound)

    def not_followed(self) -> Iterator[tuple[Site, str]]:
        """Every reference that could not be followed, and why."""
        return iter(self._unfollowed.values())
