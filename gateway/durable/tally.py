"""What the attempts of this process came to since it started: counted, for whoever watches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gateway.durable.attempts import AttemptFailed, AttemptOutcome, attempt
from gateway.durable.commands import RunActivity
from gateway.durable.port import Activity


class Tally:
    """Runs attempts and counts them, by activity and by how they came out: `succeeded`, `failed` (to be tried again, if its
    schedule says so) or `refused`."""

    def __init__(self, activities: Mapping[str, Activity]) -> None:
        self._activities = activities
        self.counts: Counter[tuple[str, str]] = Counter()

    async def attempt(self, command: RunActivity) -> AttemptOutcome:
        """Run the activity once. Raises only CancelledError, which is not counted."""
        outcome = await attempt(self._activities, command)
        self.counts[(command.name, _named(outcome))] += 1
        return outcome


def _named(outcome: AttemptOutcome) -> str:
    if isinstance(outcome, AttemptFailed):
        return "refused" if outcome.permanent else "failed"
    return "succeeded"
