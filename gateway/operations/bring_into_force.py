"""Bring into force: what judges from now on, as a new generation with its audit event and the changes to judge again.

Every way to change what judges (a file, an upload, a roll-back, an enforcement) goes through here, so that none can
forget one of the three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch
from gateway.domain.record import Generation, TrackedChange
from gateway.errors import GenerationMoved, StorageError
from gateway.operations.in_force import InForce
from gateway.operations.receive import judge_dispatch
from gateway.storage import Concerned, Storage, StoredBundle
from gateway.storage.documents import GENERATION_DIGEST, generation_digest
from gateway.storage.keys import repository_key
from policies import BundleId, Enforcement, Json, PolicyId
from policies.bundles import Bundle, Match
from policies.bundles.matching import matches_merge
from policies.errors import BundleRefused, EngineError
from providers.vcs import ChangeEvent, ChangeKey

log = structlog.get_logger()

_TRIES = 10
"""Times somebody else may be quicker before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in force, without when and by whom: what an alteration takes and gives back."""

    bundles: Mapping[str, BundleId]
    by_file: frozenset[str] = frozenset()
    enforcement: Mapping[PolicyId, Enforcement]

    @classmethod
    def of(cls, generation: Generation | None) -> Standing:
        """Of a generation, or of none."""
        if generation is None:
            return cls(bundles={}, enforcement={})
        return cls(
            bundles={bundle.name: bundle for bundle in generation.bundles},
            by_file=frozenset(generation.by_file),
            enforcement=dict(generation.enforcement),
        )

    def without(self, name: str) -> Standing:
        """All but this bundle and what was set for its policies."""
        return replace(
            self,
            bundles={known: bundle for known, bundle in self.bundles.items() if known != name},
            by_file=self.by_file - {name},
            enforcement={policy: chosen for policy, chosen in self.enforcement.items() if policy.bundle != name},
        )


Alteration: TypeAlias = Callable[[Standing], Standing]
"""Pure; it may be applied more than once. It raises to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """For the audit: who did what to which bundle."""

    who: str
    what: str
    about: str
    details: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class BringIntoForce:
    """Applies an alteration to what is in force, against everybody else who does."""

    storage: Storage
    in_force: InForce
    clock: Clock

    async def __call__(self, alteration: Alteration, *, cause: Cause, keep: Sequence[Bundle] = ()) -> Generation:
        """The generation in force afterwards; the one before where nothing is altered.

        Raises GenerationMoved (others were quicker, again and again), what the alteration raises, and DatabaseUnavailable.
        """
        for _ in range(_TRIES):
            before = await self.storage.generation()
            standing = Standing.of(before)
            altered = alteration(standing)
            if before is not None and altered == standing:
                return before
            try:
                return await self._advanced(before, altered, cause, keep)
            except GenerationMoved:
                continue
        raise GenerationMoved(f"what is in force was changed by others {_TRIES} times meanwhile")

    async def _advanced(self, before: Generation | None, altered: Standing, cause: Cause, keep: Sequence[Bundle]) -> Generation:
        generation = Generation(
            number=before.number + 1 if before else 1,
            activated_at=self.clock(),
            bundles=tuple(bundle for _, bundle in sorted(altered.bundles.items())),
            by=cause.who,
            by_file=tuple(sorted(altered.by_file)),
            enforcement=tuple(sorted(altered.enforcement.items())),
        )
        event = AuditEvent(
            at=generation.activated_at,
            who=cause.who,
            what=cause.what,
            about=cause.about,
            details={**cause.details, "generation": generation.number, GENERATION_DIGEST: generation_digest(generation)},
        )
        for bundle in keep:
            self.in_force.remember(bundle)
        stored = [StoredBundle(id=bundle.id, files=bundle.files) for bundle in keep]
        concerned = await self._concerned(before, generation)
        await self.storage.put_in_force(generation, keep=stored, event=event, concerned=concerned)
        log.info("generation in force", generation=generation.number, what=cause.what, about=cause.about, by=cause.who)
        return generation

    async def _concerned(self, before: Generation | None, after: Generation) -> Concerned:
        """Who is judged again: the changes that a policy matches, or matched, which is not as it was."""
        try:
            old = {} if before is None else {bundle.name: bundle for bundle in await self.in_force.of(before)}
            new = {bundle.name: bundle for bundle in await self.in_force.of(after)}
        except (BundleRefused, EngineError, StorageError) as problem:
            log.warning("what was in force cannot be read: every open change is judged again", problem=str(problem))
            return lambda change: _judged_again(change, after)
        matches = list(_altered(old, new))
        known: dict[tuple[str, str, str], bool] = {}

        def concerned(change: TrackedChange) -> Dispatch | None:
            """Asked of every open change inside a transaction: each place is matched once."""
            place = (change.ref.connection, change.ref.repository, change.ref.target_branch)
            if place not in known:
                known[place] = any(_fits(match, change) for match in matches)
            return _judged_again(change, after) if known[place] else None

        return concerned


def _altered(old: Mapping[str, Bundle], new: Mapping[str, Bundle]) -> Iterator[Match]:
    """The matches of every policy that came, went, or may say something else. Other content of a bundle alters all of its."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is not None and after is not None and before.digest == after.digest:
            pairs = zip(before.policies, after.policies, strict=True)
            yield from (policy.match for was, policy in pairs if was.enforcement is not policy.enforcement)
        else:
            yield from (policy.match for bundle in (before, after) if bundle is not None for policy in bundle.policies)


def _fits(match: Match, change: TrackedChange) -> bool:
    ref = change.ref
    return matches_merge(match, connection=ref.connection, repository=ref.repository, branch=ref.target_branch)


def _judged_again(change: TrackedChange, generation: Generation) -> Dispatch:
    ref = change.ref
    event = ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="bundles.activated", by=generation.by)
    once = f"generation:{generation.number}:{ref.connection}:{repository_key(ref.repository)}"
    return judge_dispatch(ref.connection, event, cause=once, touches=())
