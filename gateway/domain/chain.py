"""The sealed record as a hash chain: no byte of what was sealed changes without being found and named.

An **entry** is one thing on record (a decision, an audit event) by the hash of its written form. A **seal** gives it a
position, counted from 1 without gaps, and a hash over the seal before it and itself. Entries and seals hash with
different prefixes, so that neither can pass for the other (RFC 6962, section 2.1); what is hashed is RFC 8785 JSON.

Only hashes are chained: what they are of may be erased, and the chain stays whole. Whoever can rewrite every seal after a
changed one is found by a checkpoint (`gateway.domain.checkpoint`): a signed head that no longer leads to the present one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policies.canonical import canonical

_EMPTY, _ENTRY, _SEAL = b"\x02", b"\x00", b"\x01"


class EntryKind(StrEnum):
    """What can be on record."""

    DECISION = "decision"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing on record. id: what it is found by; content: `content_hash` of its written form.

    kind: an EntryKind; a seal somebody has tampered with may hold any text.
    """

    kind: str
    id: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the chain has got to."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """An entry in its place. Nothing of it is secret."""

    position: int
    entry: Entry
    hash: str

    @property
    def head(self) -> Head:
        """The chain's head when this was its last seal."""
        return Head(position=self.position, hash=self.hash)


class FlawKind(StrEnum):
    """What can be wrong with a sealed record."""

    SEAL_MISSING = "seal_missing"
    SEAL_CHANGED = "seal_changed"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    ENTRY_UNSEALED = "entry_unsealed"
    FACTS_CHANGED = "facts_changed"
    FACTS_MISSING = "facts_missing"
    BUNDLE_CHANGED = "bundle_changed"
    BUNDLE_MISSING = "bundle_missing"
    GENERATION_CHANGED = "generation_changed"
    HEAD_WRONG = "head_wrong"
    CHECKPOINT_CHANGED = "checkpoint_changed"
    CHECKPOINT_MISSING = "checkpoint_missing"
    CHAIN_REWRITTEN = "chain_rewritten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is not as it was sealed. `position` None: it has none. `entry`: its id, if that can be said."""

    kind: FlawKind
    message: str
    position: int | None = None
    entry: str | None = None


EMPTY = Head(position=0, hash=hashlib.sha256(_EMPTY + b"admit chain").hexdigest())
"""The head of a chain without seals."""


def content_hash(kind: EntryKind, written: bytes) -> str:
    """Of an entry's written form; equal bytes of two kinds differ."""
    return hashlib.sha256(_ENTRY + canonical({"kind": kind.value}) + b"\n" + written).hexdigest()


def next_seal(head: Head, entry: Entry) -> Seal:
    """The seal that follows `head`."""
    position = head.position + 1
    sealed = canonical({"position": position, "kind": str(entry.kind), "id": entry.id, "content": entry.content})
    return Seal(position=position, entry=entry, hash=hashlib.sha256(_SEAL + head.hash.encode() + b"\n" + sealed).hexdigest())


def sealed(head: Head, entries: Iterable[Entry]) -> list[Seal]:
    """The seals of these entries in this order, following `head`."""
    seals = []
    for entry in entries:
        seal = next_seal(head, entry)
        seals.append(seal)
        head = seal.head
    return seals


def broken_links(head: Head, seals: Sequence[Seal]) -> Iterator[Flaw]:
    """What does not follow from `head` on; none = each seal is where and what it was made.

    Each seal is held against the one written before it, so a change is named where it is and not on everything after it.
    """
    for seal in seals:
        expected = head.position + 1
        if seal.position != expected:
            last = f" to {seal.position - 1}" if seal.position - 1 > expected else ""
            yield Flaw(kind=FlawKind.SEAL_MISSING, position=expected, message=f"the seals of positions {expected}{last} are gone")
        elif next_seal(head, seal.entry) != seal:
            yield Flaw(
                kind=FlawKind.SEAL_CHANGED,
                position=seal.position,
                entry=seal.entry.id,
                message=f"the seal at position {seal.position} ({seal.entry.kind} {seal.entry.id}) is not the one that was made",
            )
        head = seal.head
