"""How the target in memory misbehaves when told to: slow, down, busy, refusing, or accepting a start and losing the answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from providers.errors import AccessRefused, RateLimited, Unreachable

EVERY_METHOD = "*"


@dataclass(slots=True)
class _Spell:
    """One kind of bad weather and how many more calls it lasts (None: until it is cleared)."""

    kind: str
    left: int | None
    seconds: float = 0.0


@dataclass(slots=True)
class Weather:
    """What lies ahead of each method. `method` is a name of the port, or `*` for all; `times` calls, None = until `clear`."""

    _ahead: dict[str, list[_Spell]] = field(default_factory=dict)

    def slow(self, method: str = EVERY_METHOD, *, seconds: float, times: int | None = None) -> None:
        """Answers, but late."""
        self._add(method, _Spell("slow", times, seconds))

    def down(self, method: str = EVERY_METHOD, *, times: int | None = None) -> None:
        """Unreachable, before anything is done."""
        self._add(method, _Spell("down", times))

    def busy(self, method: str = EVERY_METHOD, *, retry_after: float = 60.0, times: int | None = None) -> None:
        """RateLimited, with the seconds to wait."""
        self._add(method, _Spell("busy", times, retry_after))

    def refusing(self, method: str = EVERY_METHOD, *, times: int | None = None) -> None:
        """AccessRefused: the credentials have expired, or lack something."""
        self._add(method, _Spell("refusing", times))

    def losing_answers(self, method: str = "start", *, times: int | None = None) -> None:
        """Unreachable, after it has been done: a start that is accepted and then times out."""
        self._add(method, _Spell("losing", times))

    def clear(self) -> None:
        """Fair weather."""
        self._ahead.clear()

    async def before(self, method: str) -> None:
        """Go through what lies ahead of one call: wait, or raise."""
        for spell in self._met(method, losing=False):
            match spell.kind:
                case "slow":
                    await asyncio.sleep(spell.seconds)
                case "down":
                    raise Unreachable(f"{method}: the target in memory is told to be down")
                case "busy":
                    raise RateLimited(f"{method}: the target in memory is told to be busy", retry_after=spell.seconds)
                case "refusing":
                    raise AccessRefused(f"{method}: the target in memory is told to refuse", advice="clear its weather")

    def after(self, method: str) -> None:
        """What becomes of an answer."""
        for _ in self._met(method, losing=True):
            raise Unreachable(f"{method}: the target in memory is told to lose its answer")

    def _met(self, method: str, *, losing: bool) -> list[_Spell]:
        ahead = [spell for name in (EVERY_METHOD, method) for spell in self._ahead.get(name, [])]
        met = [spell for spell in ahead if spell.left != 0 and (spell.kind == "losing") == losing]
        for spell in met:
            if spell.left is not None:
                spell.left -= 1
        return met

    def _add(self, method: str, spell: _Spell) -> None:
        self._ahead.setdefault(method, []).append(spell)
