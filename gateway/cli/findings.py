"""One thing `admit doctor` looked at, and what it found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`advice` is for what is not well."""

    what: str
    well: bool
    says: str
    advice: str | None = None


def bad(what: str, problem: Exception) -> Finding:
    """Something could not be had; its own advice goes along."""
    return Finding(what=what, well=False, says=str(problem), advice=getattr(problem, "advice", None))
