"""`SqlSealedRecord`: the sealed record over one database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from gateway.domain.chain import EMPTY, Flaw, Head, Seal
from gateway.domain.checkpoint import Checkpoint, SigningKey
from gateway.storage.database import Database
from gateway.storage.sql import chain, checkpoints, erasing, verification
from gateway.storage.sql.verified_bundles import Looked

_PAGE = 200


class SqlSealedRecord:
    """Seals and verifies what `SqlStorage` records in the same database. Closing that is not its business."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seal(self, *, limit: int = 1000) -> Head:
        return await self._database.write(lambda c: chain.seal_waiting(c, limit))

    async def head(self) -> Head:
        return await self._database.read(chain.read_head)

    async def seals(self, *, after: int = 0, limit: int = 1000) -> Sequence[Seal]:
        return await self._database.read(lambda c: chain.read_seals(c, after=after, limit=limit))

    async def entries(self, *, after: int = 0, limit: int = 1000) -> Sequence[tuple[Seal, bytes | None]]:
        return await self._database.read(lambda c: verification.sealed_entries(c, after=after, limit=limit))

    async def checkpoint(self, key: SigningKey, *, at: datetime) -> Checkpoint | None:
        return await self._database.write(lambda c: checkpoints.write_checkpoint(c, key, at))

    async def checkpoints(self, *, after: int = 0, limit: int = 1000) -> Sequence[Checkpoint]:
        return await self._database.read(lambda c: checkpoints.read_checkpoints(c, after=after, limit=limit))

    async def own_key(self, fresh: SigningKey) -> SigningKey:
        return await self._database.write(lambda c: checkpoints.own_key(c, fresh))

    async def flaws(self, *, public_key: str | None = None) -> AsyncIterator[Flaw]:
        head, acts, looked = EMPTY, await self._database.read(erasing.read_acts), Looked()
        while True:
            found, end = await self._database.read(lambda c, head=head: verification.page_of_flaws(c, head, acts, looked, limit=_PAGE))  # type: ignore[misc]
            for flaw in found:
                yield flaw
            if end == head:
                break
            head = end
        for flaw in await self._database.read(lambda c: verification.flaws_at_the_end(c, head, acts, looked)):
            yield flaw
        for flaw in await self._database.read(lambda c: checkpoints.flaws_of_checkpoints(c, public_key, limit=_PAGE)):
            yield flaw
