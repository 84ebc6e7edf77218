"""What jobs usually take: how much may be given to a worker ahead, and when to come back when the queue is full."""

from __future__ import annotations

from policies.engines.worker_seat import AHEAD_SECONDS, Job
from policies.model import Digest

_HELD = 4096
_WEIGHT_OF_NEW = 0.2

_Key = tuple[Digest | None, str]


class Costs:
    """Seconds by bundle and query, learnt. What is unknown counts as slow, and a larger input as that much slower."""

    def __init__(self) -> None:
        self._usual: dict[_Key, tuple[float, float]] = {}

    def of(self, job: Job) -> float:
        """Expected seconds."""
        usual = self._usual.get(_key(job))
        if usual is None:
            return AHEAD_SECONDS
        seconds, size = usual
        return seconds * max(1.0, len(job.body) / size)

    def learn(self, job: Job, seconds: float) -> None:
        """It took so long."""
        key, size = _key(job), float(len(job.body) or 1)
        if len(self._usual) > _HELD:
            self._usual.clear()
        old_seconds, old_size = self._usual.get(key, (seconds, size))
        self._usual[key] = (_moved(old_seconds, seconds), _moved(old_size, size))


def _moved(old: float, new: float) -> float:
    return (1 - _WEIGHT_OF_NEW) * old + _WEIGHT_OF_NEW * new


def _key(job: Job) -> _Key:
    return (job.digest, str(job.kind) if job.query is None else job.query)
