"""Break-glass: who let a change through in spite of its verdict, until when. The verdict stays what it is.

An override is good for one head and one target branch, like the decision beside which it stands; a push ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.domain.audit import AuditEvent
from gateway.domain.record import Override, TrackedChange
from gateway.domain.rights import Granted
from policies.model import Json, rfc3339

LONGEST = timedelta(days=7)
REASON_LIMIT = 1000
"""Characters."""
OVERRIDDEN, OVERRIDE_ENDED, MERGED_UNDER_OVERRIDE = "change.overridden", "change.override_ended", "change.merged_under_override"
"""What the audit events are called."""


def in_force(override: Override | None, at: datetime) -> bool:
    """Whether there is one, and its end has not come."""
    return override is not None and at < override.until


def about(connection: str, repository: str, number: int) -> str:
    """How audit events name a change."""
    return f"{connection}:{repository}#{number}"


def override_event(what: str, change: TrackedChange, override: Override, *, granted: Granted, at: datetime) -> AuditEvent:
    """That it was given, or ended before its time."""
    ref = change.ref
    details: Mapping[str, Json] = {
        "reason": override.reason,
        "by": override.by,
        "until": rfc3339(override.until),
        "url": ref.url,
        "title": ref.title,
        "head_sha": ref.head_sha,
        "target_branch": ref.target_branch,
        "decision": change.decision_id,
        "outcome": change.outcome.value if change.outcome else None,
        **granted.details(),
    }
    return AuditEvent(at=at, who=granted.who, what=what, about=about(ref.connection, ref.repository, ref.number), details=details)


def in_words(override: Override) -> str:
    """One line for statuses and pages."""
    return f"Overridden by {override.by} until {override.until:%Y-%m-%d %H:%M} UTC"
