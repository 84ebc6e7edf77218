"""Gather what a change is judged by: its facts, what its repository says for itself, and who looks after its files.

As much of it as somebody looks at: that is asked of those who judge (`facts_wanted`, `code_owners`), and asked again once
the repository's own policies are known.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.operations.code_owners import ReadCodeOwners, Wanted
from gateway.operations.facts_wanted import WHOLE, FactsWanted, Found, LeftOut
from gateway.operations.own_policies import read_own_policies
from policies import AdmissionRequest, ChangeFacts, Json
from policies.repository import OwnFiles
from providers.vcs import Change, ChangeEvent, ChangeKey, ChangeState, Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What those who judge were asked: whether they look at code owners, and what of the facts they do not look at."""

    wanted: Wanted
    left: LeftOut

    def outdated(self, judged: int) -> bool:
        """True where others judged than were asked."""
        return self.wanted.outdated(judged) or self.left.outdated(judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What an open change is judged by."""

    change: Change
    own: OwnFiles
    owners: dict[str, Json] | None
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """facts_wanted: says what nobody looks at; None = every fact is read."""

    code_owners: ReadCodeOwners
    facts_wanted: FactsWanted | None = None

    async def __call__(self, forge: Forge, key: ChangeKey, hint: ChangeEvent | None = None) -> Gathered | Change:
        """A change that is not open comes as it is. Raises as the forge does, and DatabaseUnavailable."""
        for left in (await self._nobody_reads(forge.connection, key.repository), WHOLE):
            change = await forge.read_change(key, not_before=hint, leave_out=left.facts)
            if change.state is not ChangeState.OPEN:
                return change
            own = await read_own_policies(forge, change)
            asked = await self._asked(left, change.repository.name, change.left_out, own)
            if asked is not None:
                owners = await self.code_owners(forge, change) if asked.wanted.yes else None
                return Gathered(change=change, own=own, owners=owners, asked=asked)
        raise AssertionError("a change without gaps is enough for everybody")

    async def still_enough(self, connection: str, repository: str, request: AdmissionRequest, own: OwnFiles | None) -> Asked | None:
        """Of facts that were gathered before: what those who judge now look at; None = at more than that."""
        left = await self._nobody_reads(connection, repository)
        absent = request.thing.absent if isinstance(request.thing, ChangeFacts) else frozenset()
        asked = await self._asked(left, repository, absent, own)
        return None if asked is None or (asked.wanted.yes and request.code_owners is None) else asked

    async def _nobody_reads(self, connection: str, repository: str) -> LeftOut:
        return WHOLE if self.facts_wanted is None else await self.facts_wanted.nobody_reads(connection, repository)

    async def _asked(self, left: LeftOut, repository: str, absent: frozenset[str], own: OwnFiles | None) -> Asked | None:
        """None where somebody looks at what is absent."""
        files = own.target if own is not None else {}
        wanted = await self.code_owners.wanted(files, fair_share=repository)
        found = Found(repository=repository, absent=absent, own=files, owners=wanted.yes)
        if absent and (self.facts_wanted is None or not await self.facts_wanted.is_enough(left, found)):
            return None
        return Asked(wanted=wanted, left=left)
