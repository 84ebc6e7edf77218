"""Where a change landed: the commit its merge made, and what was decided of it by then.

Recorded once, when the merge is noticed, so that a later question about that commit has an answer that does not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.domain.admission import change_ref
from gateway.domain.override import in_force
from gateway.domain.record import ChangeRef, Decision, DecisionId, TrackedChange
from gateway.domain.submission import Source
from policies.model import Json, Outcome, rfc3339
from providers.vcs import Change, ChangeState


class Merged(StrEnum):
    """How it was merged: while the decision in force admitted it, under an override, or past both. The worst last."""

    GATE = "gate"
    OVERRIDE = "override"
    BYPASS = "bypass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """One merge. sha: the commit it made. decision: what was in force for the change's head, None = it was never judged."""

    connection: str
    repository: str
    number: int
    sha: str
    head_sha: str
    target_branch: str
    merged: Merged
    decision: DecisionId | None
    at: datetime


def landing_of(change: Change, before: TrackedChange | None, *, at: datetime) -> Landing | None:
    """None where nothing was merged, or it is not known into which commit."""
    if change.state is not ChangeState.MERGED or change.merged_sha is None:
        return None
    ref = change_ref(change)
    good_for = before is not None and (before.ref.head_sha, before.ref.target_branch) == (ref.head_sha, ref.target_branch)
    return Landing(
        connection=ref.connection,
        repository=ref.repository,
        number=ref.number,
        sha=change.merged_sha,
        head_sha=ref.head_sha,
        target_branch=ref.target_branch,
        merged=_merged(change, before, at) if good_for else Merged.BYPASS,
        decision=before.decision_id if before is not None and good_for else None,
        at=at,
    )


def _merged(change: Change, before: TrackedChange | None, at: datetime) -> Merged:
    if before is not None and before.outcome is Outcome.ADMITTED:
        return Merged.GATE
    # it was merged no later than its last update
    overridden = before is not None and in_force(before.override, min(at, change.updated_at))
    return Merged.OVERRIDE if overridden else Merged.BYPASS


def relevant_landing(landings: Sequence[Landing], source: Source) -> Landing | None:
    """The one to judge by: on the branch that is named if it landed there, and of several the worst."""
    here = [landing for landing in landings if landing.target_branch == branch_of(source.ref)]
    return max(here or landings, key=lambda landing: list(Merged).index(landing.merged), default=None)


def branch_of(ref: str) -> str:
    """`refs/heads/main` and `main` are one branch."""
    return ref.removeprefix("refs/heads/")


def admission_document(decision: Decision | None, *, merged: Merged | None, target_branch: str) -> dict[str, Json]:
    """`input.workflow.source.admission`."""
    return {
        "outcome": decision.outcome.value if decision else None,
        "at": rfc3339(decision.at) if decision else None,
        "generation": decision.generation if decision else None,
        "decision": decision.id if decision else None,
        "merged": merged.value if merged else None,
        "target_branch": target_branch,
    }


def landing_document(landing: Landing) -> dict[str, Json]:
    """As it is kept."""
    return {
        "connection": landing.connection,
        "repository": landing.repository,
        "number": landing.number,
        "sha": landing.sha,
        "head_sha": landing.head_sha,
        "target_branch": landing.target_branch,
        "merged": landing.merged.value,
        "decision": landing.decision,
        "at": rfc3339(landing.at),
    }


def landing_from_document(document: dict[str, Any]) -> Landing:
    """The inverse."""
    decision = document["decision"]
    return Landing(
        **{
            **document,
            "merged": Merged(document["merged"]),
            "decision": None if decision is None else DecisionId(decision),
            "at": datetime.fromisoformat(document["at"]),
        }
    )


def change_about(ref: ChangeRef) -> str:
    """What approvals of a change are filed under: they are good for one head and one target branch."""
    return f"change:{ref.connection}:{ref.repository_id}:{ref.number}:{ref.head_sha}:{ref.target_branch}"
