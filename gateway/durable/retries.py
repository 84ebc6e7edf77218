"""When the next attempt is due: pure arithmetic on a retry schedule, the same on every engine.

The jitter is drawn from the seed, so an attempt's delay is the same whoever computes it.
"""

from __future__ import annotations

import hashlib

from gateway.durable.port import RetrySchedule


def next_delay(schedule: RetrySchedule, *, failures: int, elapsed: float, retry_after: float | None, seed: str) -> float | None:
    """Seconds until the next attempt after so many failures (≥ 1); None when the schedule is used up.

    elapsed: seconds since the first attempt. retry_after: what the other side asked for, honoured up to the
    schedule's limit, and never shortening the schedule's own delay.
    """
    delay = _scheduled(schedule, failures, elapsed)
    if delay is None:
        return None
    delay *= 1 + schedule.jitter * (2 * _fraction(f"{seed}/{failures}") - 1)
    if retry_after is not None:
        delay = max(delay, min(retry_after, schedule.retry_after_limit))
    return delay


def _scheduled(schedule: RetrySchedule, failures: int, elapsed: float) -> float | None:
    if failures <= len(schedule.delays):
        return schedule.delays[failures - 1]
    if schedule.delays and elapsed < schedule.repeat_last_for:
        return schedule.delays[-1]
    return None


def _fraction(seed: str) -> float:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") / 2**64
