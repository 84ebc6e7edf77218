"""The bypass watch: a merge that happened is held against the decision in force at its head.

What was merged under an override is no bypass, but on record as what it was.
"""

from __future__ import annotations

from datetime import datetime

from gateway.domain.admission import change_ref
from gateway.domain.audit import AuditEvent
from gateway.domain.override import MERGED_UNDER_OVERRIDE, about, in_force
from gateway.domain.record import TrackedChange, override_document
from policies import Outcome
from providers.vcs import Change, ChangeState

BYPASSED = "change.bypassed"
"""What the audit event is called."""


def bypass_of(change: Change, before: TrackedChange | None, *, since: datetime | None, at: datetime) -> AuditEvent | None:
    """The bypass this change's merge was, or the merge under an override, or None.

    before: what was known of the change until now; a merge that is known already was looked at then. since: when bundles
    first came into force; what was opened earlier, and never seen open, is nobody's bypass.
    """
    if change.state is not ChangeState.MERGED or (before is not None and before.state == ChangeState.MERGED):
        return None
    if before is None and (since is None or change.created_at < since):
        return None
    ref = change_ref(change)
    good_for = before is not None and (before.ref.head_sha, before.ref.target_branch) == (ref.head_sha, ref.target_branch)
    if before is not None and good_for and before.outcome is Outcome.ADMITTED:
        return None
    override = before.override if before is not None and good_for else None
    overridden = in_force(override, min(at, change.updated_at))  # it was merged no later than its last update
    return AuditEvent(
        at=at,
        who=change.merged_by.ref if change.merged_by else "unknown",
        what=MERGED_UNDER_OVERRIDE if overridden else BYPASSED,
        about=about(ref.connection, ref.repository, ref.number),
        details={
            "url": ref.url,
            "title": ref.title,
            "head_sha": ref.head_sha,
            "target_branch": ref.target_branch,
            "merged_sha": change.merged_sha,
            "merged_by": change.merged_by.login if change.merged_by else None,
            "decision": before.decision_id if before is not None and good_for else None,
            "outcome": before.outcome.value if before is not None and good_for and before.outcome is not None else None,
            **({"override": override_document(override)} if overridden else {}),
        },
    )
