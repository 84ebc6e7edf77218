"""Whose process is dead? Decided by watching its beat for a time of our own, never by comparing two clocks.

A process writes its beat every quarter of a lease. One that does not beat for a whole lease of the watcher's own,
unsettable clock is dead; its work is taken over, and whatever it still tries to write is fenced off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Watch:
    """What this process has seen of the others. lease: seconds without a beat after which one is dead."""

    lease: float
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def look(self, beats: Mapping[str, int], elapsed: float) -> dict[str, int]:
        """Take note of everybody's beat at this moment; those now dead, with their last beat."""
        self._seen = {
            owner: previous if (previous := self._seen.get(owner)) is not None and previous[0] == beat else (beat, elapsed)
            for owner, beat in beats.items()
        }
        return {owner: beat for owner, (beat, since) in self._seen.items() if elapsed - since > self.lease}
