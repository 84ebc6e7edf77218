"""Verify the record: the chain, what it is of, its checkpoints, and those that somebody has kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.chain import Flaw, Head
from gateway.domain.checkpoint import Checkpoint, checkpoint_flaws
from gateway.storage import SealedRecord

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """signed: the newest checkpoint. keys: every one that signed, in order of their first."""

    head: Head
    flaws: tuple[Flaw, ...]
    signed: Checkpoint | None
    keys: tuple[str, ...]


async def verified(record: SealedRecord, *, public_key: str | None = None, kept: Sequence[Checkpoint] = ()) -> Verified:
    """What is wrong with it, and how far it is signed. kept: checkpoints from elsewhere, held against the chain as it is."""
    flaws = [flaw async for flaw in record.flaws(public_key=public_key)]
    hashes: dict[int, str] = {}
    for checkpoint in kept:
        position = checkpoint.head.position
        hashes.update({seal.position: seal.hash for seal in await record.seals(after=position - 1, limit=1) if seal.position == position})
    flaws += checkpoint_flaws(kept, hashes, public_key=public_key)
    try:
        signed, keys = await _signed(record)
    except ValueError:
        signed, keys = None, {}  # one that cannot be read is among the flaws
    return Verified(head=await record.head(), flaws=tuple(flaws), signed=signed, keys=tuple(keys))


async def newest_checkpoint(record: SealedRecord) -> Checkpoint | None:
    """The last that was signed."""
    return (await _signed(record))[0]


async def _signed(record: SealedRecord) -> tuple[Checkpoint | None, dict[str, None]]:
    keys: dict[str, None] = {}
    last: Checkpoint | None = None
    while page := await record.checkpoints(after=last.head.position if last else 0, limit=_PAGE):
        keys.update(dict.fromkeys(checkpoint.key for checkpoint in page))
        last = page[-1]
    return last, keys
