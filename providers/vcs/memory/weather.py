"""How the memory forge misbehaves when told to: slow, down, rate-limited, refusing, torn, stale; each method by itself."""

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
    """What lies ahead of each method. `method` is a name of the port, or `*` for all; `times` calls, None = until `clear`.

    torn and stale say something to `read_change` only: torn facts moved while they were read; stale ones are those before
    the change's last event.
    """

    _ahead: dict[str, list[_Spell]] = field(default_factory=dict)

    def slow(self, method: str = EVERY_METHOD, *, seconds: float, times: int | None = None) -> None:
        """Answers, but late."""
        self._add(method, _Spell("slow", times, seconds))

    def down(self, method: str = EVERY_METHOD, *, times: int | None = None) -> None:
        """Unreachable."""
        self._add(method, _Spell("down", times))

    def rate_limited(self, method: str = EVERY_METHOD, *, retry_after: float = 60.0, times: int | None = None) -> None:
        """RateLimited, with the seconds to wait."""
        self._add(method, _Spell("rate_limited", times, retry_after))

    def refusing(self, method: str = EVERY_METHOD, *, times: int | None = None) -> None:
        """AccessRefused: the token was revoked, or lacks something."""
        self._add(method, _Spell("refusing", times))

    def torn(self, *, times: int | None = None) -> None:
        """Each reading of a change finds that it moved meanwhile."""
        self._add("read_change", _Spell("torn", times))

    def stale(self, *, times: int | None = None) -> None:
        """Each reading of a change sees it as it was before its last event, as a lagging replica does."""
        self._add("read_change", _Spell("stale", times))

    def clear(self) -> None:
        """Fair weather."""
        self._ahead.clear()

    async def meet(self, method: str) -> frozenset[str]:
        """Go through what lies ahead of one call: wait, raise, or learn what is wrong with what it will see."""
        met = [spell for name in (EVERY_METHOD, method) for spell in self._ahead.get(name, []) if spell.left != 0]
        for spell in met:
            if spell.left is not None:
                spell.left -= 1
            match spell.kind:
                case "slow":
                    await asyncio.sleep(spell.seconds)
                case "down":
                    raise Unreachable(f"{method}: the memory forge is told to be down")
                case "rate_limited":
                    raise RateLimited(f"{method}: the memory forge is told to limit its rate", retry_after=spell.seconds)
                case "refusing":
                    raise AccessRefused(f"{method}: the memory forge is told to refuse", advice="clear its weather")
        return frozenset(spell.kind for spell in met)

    def _add(self, method: str, spell: _Spell) -> None:
        self._ahead.setdefault(method, []).append(spell)
