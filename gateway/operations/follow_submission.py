"""Follow a submission: each of its states as it comes, until it has ended.

It is another process that writes them as often as not, so the database is looked at; whoever stops listening ends that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from gateway.domain.submission import Submission, SubmissionId
from gateway.operations.start_submission import known
from gateway.storage.submissions import Submissions

_PAUSES = (0.05, 0.1, 0.2, 0.5)
"""Seconds from one look to the next: what is quick is seen quickly, what takes long costs little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSubmission:
    """Follows one."""

    submissions: Submissions

    async def __call__(self, id: SubmissionId) -> AsyncGenerator[Submission, None]:
        """As it stands, then each time it was written, the last when it has ended. Raises UnknownThing."""
        submission = await known(self.submissions, id)
        yield submission
        looks = 0
        while not submission.state.ended:
            await asyncio.sleep(_PAUSES[min(looks, len(_PAUSES) - 1)])
            looks += 1
            now = await known(self.submissions, id)
            if now.version != submission.version:
                submission, looks = now, 0
                yield submission

    async def ended(self, id: SubmissionId, *, within: float) -> Submission:
        """Once it has ended, or as it stands after so many seconds. Raises UnknownThing."""
        latest = await known(self.submissions, id)
        with suppress(TimeoutError):
            async with asyncio.timeout(within), aclosing(self(id)) as states:
                async for submission in states:
                    latest = submission
        return latest
