"""What of a person can be erased from the record, and what says that it was: digests stay, so the chain stays whole.

Facts and deliveries name people by account and login; they are bytes under a digest, and are dropped whole. Decisions and
the audit keep what they are: outcome, reasons, and accounts by their immutable id alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.audit import AuditEvent
from policies.model import Digest, Json, rfc3339

ERASED, RETIRED = "person.erased", "record.retired"
"""What the audit events are called."""
ABOUT = "record"
"""What they are about: all are found under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """What the audit says was dropped on purpose: these, and facts of decisions older than that."""

    digests: frozenset[str] = frozenset()
    facts_before: datetime | None = None

    def account_for(self, digest: str, decided_at: datetime) -> bool:
        """Whether it is on record why the facts of a decision of that time are no longer there."""
        return digest in self.digests or (self.facts_before is not None and decided_at < self.facts_before)


def erased_event(actor: str, digests: Sequence[Digest], *, who: str, at: datetime) -> AuditEvent:
    """That what named this actor was erased. The audit is never erased, so it holds only a hash of whom."""
    person = hashlib.sha256(actor.encode()).hexdigest()[:16]
    return AuditEvent(at=at, who=who, what=ERASED, about=ABOUT, details={"person": person, "blobs": list[Json](digests)})


def retired_event(kind: str, before: datetime, count: int, *, at: datetime) -> AuditEvent:
    """That what was older was dropped, as the configuration says. kind: facts or deliveries."""
    return AuditEvent(at=at, who="admit.yaml", what=RETIRED, about=ABOUT, details={f"{kind}_before": rfc3339(before), "count": count})


def acts_of(events: Iterator[dict[str, Any]]) -> Acts:
    """What these audit events, as written, account for."""
    digests: set[str] = set()
    before: list[datetime] = []
    for event in events:
        details = event["details"]
        if event["what"] == ERASED:
            digests.update(details["blobs"])
        elif event["what"] == RETIRED and "facts_before" in details:
            before.append(datetime.fromisoformat(details["facts_before"]))
    return Acts(digests=frozenset(digests), facts_before=max(before, default=None))


def names(content: bytes, text: str) -> bool:
    """Whether this JSON holds the text as a whole string, as key or value; what is no JSON is searched for it as it is."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace") in content or json.dumps(text).encode() in content


def logins_of(facts: bytes, actor: str) -> set[str]:
    """What the actor was called in these facts."""
    try:
        return set(_logins(json.loads(facts), actor))
    except ValueError:
        return set()


def _logins(value: Any, actor: str) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("ref") == actor and isinstance(value.get("login"), str):
            yield value["login"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _logins(item, actor)
