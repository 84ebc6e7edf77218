"""When to look for what others have set going: at once, and the longer they go on, the more of it at a time.

A look costs about the same for one dispatch as for a hundred. Whoever wakes the engine alone does not wait; while a flood
lasts, looks stay rare, so that taking it in comes first and working it off comes behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

_SHORTEST, _LONGEST = 0.005, 0.16
"""Seconds between two looks: after the first, and in a flood."""


class Later(Protocol):
    """As an event loop's `call_later`."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> Any: ...


class Hearing:
    """Told of something new, it has somebody `look`. For one event loop's thread."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._pause = _SHORTEST
        self._resting = False
        self._told = False

    def told(self, later: Later) -> None:
        """There is something new: looked for now, or when the pause after the last look is over."""
        if self._resting:
            self._told = True
        else:
            self._look_and_rest(later)

    def _look_and_rest(self, later: Later) -> None:
        self._told, self._resting = False, True
        self._look()
        later(self._pause, lambda: self._rested(later))

    def _rested(self, later: Later) -> None:
        if self._told:
            self._pause = min(2 * self._pause, _LONGEST)
            self._look_and_rest(later)
        else:
            self._pause, self._resting = _SHORTEST, False
