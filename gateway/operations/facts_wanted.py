"""Which facts of a change nobody looks at, so that its forge need not be asked for them.

Said by the footprints of the policies that could judge changes of its repository, before it is read; a repository's own are
known only afterwards. Where that turns out to have been too little it is read whole. Nothing rests on this being right: a
policy that may look at what was left out is undecided (`policies.absent`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import StorageError, UnknownThing
from gateway.operations.code_owners import CODE_OWNERS
from gateway.operations.footprints import Footprints
from gateway.operations.judge import BundlesInForce
from policies.bundles.matching import could_match_in
from policies.errors import BundleRefused, EngineError
from providers.vcs import MAY_BE_LEFT_OUT

_NAMED_BY = frozenset({"reviews", "requested_reviewers"})
"""Who takes part in a change is known by name in its CODEOWNERS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """The facts nobody looks at, said by the bundles of `generation` of a repository called so."""

    facts: frozenset[str] = frozenset()
    repository: str = ""
    generation: int = 0

    def outdated(self, judged: int) -> bool:
        """True where others judged than were asked."""
        return bool(self.facts) and judged not in (0, self.generation)


WHOLE = LeftOut()
"""Nothing was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a change. absent: without which facts. own: its repository's own policies. owners: whether code owners are read."""

    repository: str
    absent: frozenset[str]
    own: Mapping[str, bytes]
    owners: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsWanted:
    """Asks those who judge."""

    in_force: BundlesInForce
    footprints: Footprints

    async def nobody_reads(self, connection: str, repository: str) -> LeftOut:
        """Of changes of this repository. Nothing is left out where that cannot be told."""
        try:
            generation, bundles = await self.in_force()
            found = [
                (await self.footprints(bundle))[policy.id]
                for bundle in bundles
                for policy in bundle.policies
                if could_match_in(policy.match, connection=connection, repository=repository)
            ]
        except (UnknownThing, BundleRefused, EngineError, StorageError):
            return WHOLE
        if not found:
            return WHOLE
        unread = frozenset(fact for fact in MAY_BE_LEFT_OUT if not any(footprint.reads(("change", fact)) for footprint in found))
        if await self.footprints.any_reads(CODE_OWNERS, bundles):
            unread -= _NAMED_BY
        return LeftOut(facts=unread, repository=repository, generation=generation.number)

    async def is_enough(self, left: LeftOut, found: Found) -> bool:
        """Whether what was found holds all that is looked at, by a repository's own policies too."""
        if not found.absent <= left.facts or found.repository != left.repository or (found.owners and found.absent & _NAMED_BY):
            return False
        return not any([await self.footprints.own_reads(("change", fact), found.own, fair_share=found.repository) for fact in found.absent])
