"""Export: the sealed record as JSON, one entry a line, in the order of its positions, for whoever keeps or searches it elsewhere.

Each line has the seal as well as what it is of, so that what has left the gateway can still be held against the chain.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.chain import EntryKind, Seal
from gateway.errors import Erased
from gateway.storage import SealedRecord, Storage
from policies import Digest, Outcome

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """None = any. `since` is included, `until` is not. after: only entries of later positions."""

    kind: EntryKind | None = None
    connection: str | None = None
    repository: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0

    def fits(self, kind: str, document: dict[str, Any]) -> bool:
        """Whether this entry is wanted. What is asked of decisions alone leaves the audit out."""
        change = document.get("change") or {}
        at = datetime.fromisoformat(document["at"])
        return (
            (self.kind is None or kind == self.kind)
            and (self.connection is None or change.get("connection") == self.connection)
            and (self.repository is None or str(change.get("repository", "")).lower() == self.repository.lower())
            and (self.outcome is None or document.get("outcome") == self.outcome)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """Reads it in pages: nothing of it is held at once."""

    storage: Storage
    sealed_record: SealedRecord

    async def __call__(self, wanted: ExportFilter, *, with_input: bool = False) -> AsyncIterator[str]:
        """JSON lines. with_input: decisions with the facts they judged; null where those were erased.

        An entry that is gone or cannot be read has `document: null`, whatever the filter: an export hides no hole.
        """
        after = wanted.after
        while page := await self.sealed_record.entries(after=after, limit=_PAGE):
            for seal, written in page:
                document = _read(written)
                if document is None or wanted.fits(str(seal.entry.kind), document):
                    line = _line(seal, document)
                    if with_input and seal.entry.kind == EntryKind.DECISION:
                        line["input"] = await self._input(document)
                    yield json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
            after = page[-1][0].position

    async def _input(self, document: dict[str, Any] | None) -> Any:
        try:
            facts = None if document is None else await self.storage.blob(Digest(document["input_digest"]))
        except Erased:
            return None
        return None if facts is None else json.loads(facts)


def _read(written: bytes | None) -> dict[str, Any] | None:
    try:
        document: Any = json.loads(written or b"null")
        datetime.fromisoformat(document["at"])
    except (ValueError, TypeError, KeyError):
        return None
    return document if isinstance(document, dict) else None


def _line(seal: Seal, document: dict[str, Any] | None) -> dict[str, Any]:
    entry = seal.entry
    return {
        "position": seal.position,
        "kind": str(entry.kind),
        "id": entry.id,
        "content": entry.content,
        "hash": seal.hash,
        "document": document,
    }
