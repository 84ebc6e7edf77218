"""What every torture reports, and how long and with which dice it runs."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """summary: one line of counts. problems: what is wrong, with all that is needed to see why; none: it passed."""

    seed: int
    summary: str
    problems: tuple[str, ...] = ()

    def told(self) -> str:
        """For people: the counts, and where something is wrong the seed that brought it about."""
        if not self.problems:
            return self.summary
        again = f"seed {self.seed}: set ADMIT_TORTURE_SEED to see it again (the same blows; the machine's timing is its own)"
        return "\n".join([self.summary, again, *self.problems[:5]])


def seconds(otherwise: float) -> float:
    """How long to torture: `ADMIT_TORTURE_SECONDS`, or this."""
    return float(os.environ.get("ADMIT_TORTURE_SECONDS") or otherwise)


def seed() -> int:
    """`ADMIT_TORTURE_SEED`, or one of its own."""
    return int(os.environ.get("ADMIT_TORTURE_SEED") or random.SystemRandom().randrange(10**6))
