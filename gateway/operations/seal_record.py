"""Seal: give what was recorded its place in the hash chain, soon after it was recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.checkpoint import SigningKey, new_key
from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch
from gateway.storage import SealedRecord

WORKFLOW = "seal_record"
_BUCKET = 2
"""Seconds whose decisions share one dispatch. The workflow waits longer than that before it seals, so none is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRecord:
    """Seals everything that waits, and signs where the chain has got to then. key: None = the one the record keeps itself."""

    sealed_record: SealedRecord
    clock: Clock
    key: SigningKey | None = None

    async def __call__(self) -> int:
        """The position of the chain's head afterwards. Raises DatabaseUnavailable."""
        before = await self.sealed_record.head()
        while (head := await self.sealed_record.seal()) != before:
            before = head
        key = self.key or await self.sealed_record.own_key(new_key())
        await self.sealed_record.checkpoint(key, at=self.clock())
        return head.position


def seal_dispatch(at: datetime) -> Dispatch:
    """Have sealed what is recorded now; written beside it."""
    return Dispatch(id=f"seal:{math.floor(at.timestamp() / _BUCKET)}", workflow_id="seal", workflow_type=WORKFLOW, signal="recorded")
