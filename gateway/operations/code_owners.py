"""Read who looks after a change's files: the CODEOWNERS at its target's tip, its names resolved to who they are.

Read only where a policy may look at `code_owners`: that costs a look at the forge. A file that is not there is an answer,
one that cannot be read is a fault, as with all facts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.code_owners import FoundFile, code_owners_document, covering, names_in
from gateway.errors import StorageError, UnknownThing
from gateway.operations.footprints import Footprints
from gateway.operations.judge import BundlesInForce
from policies import Digest, Json, digest
from policies.errors import BundleRefused
from policies.repository import OwnFiles
from providers.errors import PermanentError
from providers.vcs import Change, Forge
from providers.vcs.code_owners import CodeOwnersTooLarge, places, read_code_owners

CODE_OWNERS = ("code_owners",)
"""Where they are in the input."""


class KnownNames(Protocol):
    """Knows who is called what on a forge, as it was read last."""

    async def named(self, connection: str, names: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Name in lower case → the refs that are called so. Raises DatabaseUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whether a policy may look at them: said by the bundles of `generation`, None where these could not be had."""

    yes: bool
    generation: int | None = None

    def outdated(self, judged: int) -> bool:
        """True where others judged than were looked at, who may want what was not read."""
        return not self.yes and judged not in (0, self.generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCodeOwners:
    """names: None where somebody else keeps relations, and only the people of the change itself are known."""

    in_force: BundlesInForce
    footprints: Footprints
    names: KnownNames | None = None

    async def if_wanted(self, forge: Forge, change: Change, own: OwnFiles) -> dict[str, Json] | None:
        """The same where a policy asks for it. own: the repository's own policies. Raises as a call."""
        return await self(forge, change) if (await self.wanted(own.target, fair_share=change.repository.name)).yes else None

    async def __call__(self, forge: Forge, change: Change) -> dict[str, Json]:
        """The `code_owners` object of the input.

        Raises as the forge does, PermanentError for a file that is too large, DatabaseUnavailable.
        """
        found = await _found(forge, change.repository.name, change.target_tip)
        covered = await asyncio.to_thread(covering, found.owners, change)
        known = await self.names.named(change.connection, names_in(covered)) if self.names is not None else None
        return code_owners_document(found, covered, change, known)

    async def wanted(self, own: Mapping[str, bytes], *, fair_share: str) -> Wanted:
        """Whether a policy may look at them, in force or among a repository's `own` files. In doubt one does.

        All policies are asked, whether they match the change or not: so the answer is good for whatever is judged under one
        generation. Not where the bundles in force cannot be had: judging says what is wrong with them.
        """
        if await self.footprints.own_reads(CODE_OWNERS, own, fair_share=fair_share):
            return Wanted(yes=True)
        try:
            generation, bundles = await self.in_force()
        except (UnknownThing, BundleRefused, StorageError):
            return Wanted(yes=False)
        return Wanted(yes=await self.footprints.any_reads(CODE_OWNERS, bundles), generation=generation.number)


async def code_owners_digest(forge: Forge, repository: str, ref: str) -> Digest | None:
    """Of the file there is at `ref`; None where there is none. Raises as the forge does."""
    _, path, content = await _file(forge, repository, ref)
    return _digest(content) if path is not None else None


async def _found(forge: Forge, repository: str, ref: str) -> FoundFile:
    commit, path, content = await _file(forge, repository, ref)
    try:
        owners = await asyncio.to_thread(read_code_owners, content, forge.code_owners)
    except CodeOwnersTooLarge as problem:
        raise PermanentError(f"{path} of '{repository}' cannot be read: {problem}", advice="make it shorter") from problem
    return FoundFile(commit=commit, path=path, digest=_digest(content) if path is not None else None, owners=owners)


async def _file(forge: Forge, repository: str, ref: str) -> tuple[str, str | None, bytes]:
    """The commit, and which file there is at it with what in it; no path where there is none."""
    folder = await forge.read_first(repository, ref, places(forge.code_owners))
    path, content = next(iter(folder.files.items()), (None, b""))
    return folder.commit, path, content


def _digest(content: bytes) -> Digest:
    return digest("file", content)
