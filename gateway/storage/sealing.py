"""The port to the sealed record: what was recorded gets a place in a hash chain, and what was sealed can be verified.

Apart from `Storage`, since another part of the gateway needs it: a sealer that runs now and then, `admit log verify`, and
whoever keeps checkpoints. Recording enlists each decision and audit event in its own transaction, so nothing is ever
on record that is neither sealed nor waiting for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.chain import Flaw, Head, Seal
from gateway.domain.checkpoint import Checkpoint, SigningKey


class SealedRecord(Protocol):
    """The record as a chain. Any method may raise DatabaseUnavailable (temporary)."""

    async def seal(self, *, limit: int = 1000) -> Head:
        """Seal what waits, at most `limit` entries, in the order of their recording; the chain's new head.

        Positions have no gaps and no twins, and each entry gets one, however many seal at the same time.
        """

    async def head(self) -> Head:
        """Where the chain has got to; `chain.EMPTY` before the first seal. What a checkpoint signs."""

    async def seals(self, *, after: int = 0, limit: int = 1000) -> Sequence[Seal]:
        """The seals that follow position `after`, in order."""

    async def entries(self, *, after: int = 0, limit: int = 1000) -> Sequence[tuple[Seal, bytes | None]]:
        """The seals that follow position `after`, each with the written form of what it is of; None where that is gone."""

    async def checkpoint(self, key: SigningKey, *, at: datetime) -> Checkpoint | None:
        """Sign where the chain has got to, and keep that; None where the newest checkpoint by this key says it already."""

    async def checkpoints(self, *, after: int = 0, limit: int = 1000) -> Sequence[Checkpoint]:
        """Those of positions after this one, in order. Raises ValueError for one that has been made unreadable."""

    async def own_key(self, fresh: SigningKey) -> SigningKey:
        """The key this record keeps for its checkpoints: `fresh` from now on, if there was none."""

    def flaws(self, *, public_key: str | None = None) -> AsyncIterator[Flaw]:
        """Everything that is not as it was recorded, sealed and signed; none = the record is whole.

        public_key: the only one whose checkpoints count; None = whichever each names.

        Looks at every seal, and at what it is of: the entry's written form, the columns it is found by, the facts it
        names. What waits to be sealed is looked at too. When a decision was last confirmed is not sealed.
        """
