"""The sealed record in memory, over `MemoryStorage`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from gateway.domain.chain import EMPTY, EntryKind, Flaw, FlawKind, Head, Seal, broken_links, content_hash, sealed
from gateway.storage.memory import MemoryStorage


class MemorySealedRecord:
    """Seals what the storage has enlisted. What nobody can reach but this process needs no more looking at than this."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._seals: list[Seal] = []

    async def seal(self, *, limit: int = 1000) -> Head:
        done = len(self._seals)
        self._seals += sealed(await self.head(), [entry for entry, _ in self._storage.entries[done : done + limit]])
        return await self.head()

    async def head(self) -> Head:
        return self._seals[-1].head if self._seals else EMPTY

    async def seals(self, *, after: int = 0, limit: int = 1000) -> Sequence[Seal]:
        return self._seals[after : after + limit]

    async def flaws(self) -> AsyncIterator[Flaw]:
        for flaw in broken_links(EMPTY, self._seals):
            yield flaw
        for entry, written in self._storage.entries:
            if content_hash(EntryKind(entry.kind), written) != entry.content:
                yield Flaw(kind=FlawKind.ENTRY_CHANGED, entry=entry.id, message=f"{entry.kind} {entry.id} has been changed")
