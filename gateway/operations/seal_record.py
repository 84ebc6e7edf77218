"""Seal: give what was recorded its place in the hash chain, soon after it was recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.dispatch import Dispatch
from gateway.storage import SealedRecord

WORKFLOW = "seal_record"
_BUCKET = 2
"""Seconds whose decisions share one dispatch. The workflow waits longer than that before it seals, so none is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRecord:
    """Seals everything that waits."""

    sealed_record: SealedRecord

    async def __call__(self) -> int:
        """The position of the chain's head afterwards. Raises DatabaseUnavailable."""
        before = await self.sealed_record.head()
        while (head := await self.sealed_record.seal()) != before:
            before = head
        return head.position


def seal_dispatch(at: datetime) -> Dispatch:
    """Have sealed what is recorded now; written beside it."""
    return Dispatch(id=f"seal:{math.floor(at.timestamp() / _BUCKET)}", workflow_id="seal", workflow_type=WORKFLOW, signal="recorded")
