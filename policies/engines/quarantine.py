"""Which bundles may not run any more, because they killed their workers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from policies.errors import BundleQuarantined
from policies.model import Digest


class Quarantine:
    """Counts the deaths a bundle caused. `after` of them within `window` seconds, and it is not run until they are that old."""

    def __init__(self, *, after: int, window: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._after, self._window, self._clock = after, window, clock
        self._deaths: dict[Digest, deque[float]] = {}

    def strike(self, digest: Digest) -> None:
        """It killed a worker."""
        self._deaths.setdefault(digest, deque(maxlen=self._after)).append(self._clock())

    def check(self, digest: Digest, name: str) -> None:
        """Raises BundleQuarantined."""
        deaths = self._deaths.get(digest)
        if deaths is None:
            return
        if self._clock() - deaths[-1] > self._window:
            del self._deaths[digest]
        elif len(deaths) == self._after and self._clock() - deaths[0] <= self._window:
            problem = BundleQuarantined(f"bundle '{name}' ({digest}) killed its worker {self._after} times and is not run any more")
            problem.advice = "mend or roll back the bundle: its policies loop, or need more memory than they may have"
            raise problem
