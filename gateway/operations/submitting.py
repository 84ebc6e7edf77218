"""Everything about submissions, joined: what tier 1 may ask, and the activities that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.submission import Submission, SubmissionId
from gateway.durable import Activity
from gateway.operations.activities import refusals_are_permanent
from gateway.operations.catalogue import Catalogue
from gateway.operations.comment_commands import CommentCommands
from gateway.operations.follow_submission import FollowSubmission
from gateway.operations.give_word import GiveWord
from gateway.operations.start_submission import StartSubmission
from gateway.operations.steer_submission import CancelSubmission
from gateway.operations.submit import Submit
from gateway.operations.watch_submission import WatchSubmission
from gateway.storage.submissions import Submissions
from policies import Json, rfc3339
from providers.targets import Target
from providers.vcs import ChangeEvent, ChangeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitting:
    """targets: by name, as admit.yaml has them."""

    submit: Submit
    give_word: GiveWord
    cancel: CancelSubmission
    start: StartSubmission
    watch: WatchSubmission
    follow: FollowSubmission
    comment_commands: CommentCommands
    submissions: Submissions
    catalogue: Catalogue
    targets: Mapping[str, Target]

    def activities(self) -> Mapping[str, Activity]:
        """By the names workflows call them."""

        async def _start_submission(id: Json, last: Json) -> Json:
            with refusals_are_permanent():
                return _stand(await self.start(SubmissionId(str(id)), last=bool(last)))

        async def _watch_submission(id: Json) -> Json:
            with refusals_are_permanent():
                return _stand(await self.watch(SubmissionId(str(id))))

        async def _comment_commands(change: Json, hint: Json) -> Json:
            assert isinstance(change, dict)
            key = ChangeKey(repository=str(change["repository"]), number=int(str(change["number"])))
            with refusals_are_permanent():
                return await self.comment_commands(str(change["connection"]), key, hint=_event(key, hint))

        return {
            "start_submission": _start_submission,
            "watch_submission": _watch_submission,
            "comment_commands": _comment_commands,
        }


def _stand(submission: Submission) -> Json:
    until = submission.held_until
    return {"state": submission.state.value, "ended": submission.state.ended, "until": rfc3339(until) if until else None}


def _event(key: ChangeKey, hint: Any) -> ChangeEvent | None:
    """What the facts have to be as new as."""
    if hint is None:
        return None
    updated = hint["updated_at"]
    return ChangeEvent(key=key, what=hint["what"], updated_at=datetime.fromisoformat(updated) if updated else None)
