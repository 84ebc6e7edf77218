"""The sealed record in memory, over `MemoryStorage`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from gateway.domain.chain import EMPTY, EntryKind, Flaw, FlawKind, Head, Seal, broken_links, content_hash, sealed
from gateway.domain.checkpoint import Checkpoint, SigningKey, checkpoint_flaws, thinned
from gateway.storage.memory import MemoryStorage


class MemorySealedRecord:
    """Seals what the storage has enlisted. What nobody can reach but this process needs no more looking at than this."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._seals: list[Seal] = []
        self._checkpoints: list[Checkpoint] = []
        self._key: SigningKey | None = None

    async def seal(self, *, limit: int = 1000) -> Head:
        done = len(self._seals)
        self._seals += sealed(await self.head(), [entry for entry, _ in self._storage.entries[done : done + limit]])
        return await self.head()

    async def head(self) -> Head:
        return self._seals[-1].head if self._seals else EMPTY

    async def seals(self, *, after: int = 0, limit: int = 1000) -> Sequence[Seal]:
        return self._seals[after : after + limit]

    async def entries(self, *, after: int = 0, limit: int = 1000) -> Sequence[tuple[Seal, bytes | None]]:
        page = self._seals[after : after + limit]
        return [(seal, self._storage.entries[seal.position - 1][1]) for seal in page]

    async def checkpoint(self, key: SigningKey, *, at: datetime) -> Checkpoint | None:
        head, last = await self.head(), self._checkpoints[-2:]
        if head == EMPTY or (last and last[-1].head == head and last[-1].key == key.public):
            return None
        nearby = thinned(last)
        self._checkpoints = [kept for kept in self._checkpoints if kept != nearby and kept.head.position != head.position]
        self._checkpoints.append(key.checkpoint(head, at))
        return self._checkpoints[-1]

    async def checkpoints(self, *, after: int = 0, limit: int = 1000) -> Sequence[Checkpoint]:
        return [kept for kept in self._checkpoints if kept.head.position > after][:limit]

    async def own_key(self, fresh: SigningKey) -> SigningKey:
        self._key = self._key or fresh
        return self._key

    async def flaws(self, *, public_key: str | None = None) -> AsyncIterator[Flaw]:
        for flaw in broken_links(EMPTY, self._seals):
            yield flaw
        for entry, written in self._storage.entries:
            if content_hash(EntryKind(entry.kind), written) != entry.content:
                yield Flaw(kind=FlawKind.ENTRY_CHANGED, entry=entry.id, message=f"{entry.kind} {entry.id} has been changed")
        hashes = {seal.position: seal.hash for seal in self._seals}
        for flaw in checkpoint_flaws(self._checkpoints, hashes, public_key=public_key):
            yield flaw
        if public_key is not None and self._seals and not self._checkpoints:
            yield Flaw(kind=FlawKind.CHECKPOINT_MISSING, message="no checkpoint is kept: nothing speaks for this chain")
