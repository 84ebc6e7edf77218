"""The port to submissions: kept with the decisions on them, each method one transaction.

Any method may raise DatabaseUnavailable (temporary). Reads see every write that has returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from gateway.domain.record import Decision
from gateway.domain.submission import Submission, SubmissionId, SubmissionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A decision to be recorded, with the blob of its facts."""

    decision: Decision
    facts: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionFilter:
    """None = any. subject: an Actor's ref."""

    state: SubmissionState | None = None
    workflow: str | None = None
    target: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionPage:
    """Newest first. `cursor`: pass it to get what follows; None = that was all."""

    submissions: tuple[Submission, ...]
    cursor: str | None


class Submissions(Protocol):
    """What is known of submissions."""

    async def record(self, submission: Submission, judged: Judged, dispatches: Sequence[Dispatch]) -> Submission:
        """Keep a new one with its first decision and what it sets going, together.

        One that was asked by the same subject under the same key is returned as it stands, and nothing is kept: of two at
        the same moment one is first, whichever gateway they came to. Raises GenerationMoved (and keeps nothing) when other
        bundles came into force since it was judged.
        """

    async def save(
        self,
        submission: Submission,
        *,
        judged: Judged | None = None,
        dispatches: Sequence[Dispatch] = (),
        event: AuditEvent | None = None,
    ) -> Submission:
        """Replace what is known of it, with a new decision, what belongs on record and what it sets going; as it now stands.

        Its `version` says what it was read as: SubmissionMoved where it has been written since, and nothing changes.
        GenerationMoved as above.
        """

    async def submission(self, id: SubmissionId) -> Submission | None:
        """As it stands."""

    async def asked_under(self, subject: str, key: str) -> Submission | None:
        """What this subject asked under this key."""

    async def list(self, filter: SubmissionFilter, *, limit: int = 50, cursor: str | None = None) -> SubmissionPage:
        """Newest first. Raises ValueError for a cursor nobody gave out."""

    async def open(self) -> Mapping[SubmissionState, int]:
        """How many have not ended, by how they stand; a state in which there is none may be missing."""
