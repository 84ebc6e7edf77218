"""One line of the result: what was measured, ours, the alternative's, and the ratio of the two in this run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """figure: what the numbers are, with their unit. better: which way is good. alternative: what ours is compared with."""

    what: str
    figure: str
    ours: float
    other: float
    alternative: str
    better: str = "higher"

    @property
    def ratio(self) -> float:
        return self.ours / self.other if self.other else float("nan")


def table(rows: Sequence[Row]) -> str:
    """For people."""
    lines = [f"{'what':<44}{'figure':<20}{'ours':>11}{'other':>11}{'ours/other':>12}  compared with"]
    for row in rows:
        good = "↑" if row.better == "higher" else "↓"
        lines.append(
            f"{row.what:<44}{row.figure + ' ' + good:<20}{row.ours:>11.1f}{row.other:>11.1f}{row.ratio:>11.2f}×  {row.alternative}"
        )
    return "\n".join(lines)


def documents(rows: Sequence[Row]) -> list[dict[str, object]]:
    """For machines."""
    return [{**asdict(row), "ratio": row.ratio} for row in rows]
