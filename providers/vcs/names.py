"""Which `owner/name` fits which glob. `*` does not cross `/`, `**` does; case does not matter, as on the forges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def fits_one_of(name: str, patterns: Sequence[str]) -> bool:
    """True if `owner/name` fits one of the globs."""
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


def is_literal(pattern: str) -> bool:
    """True for a pattern that names one repository."""
    return not any(sign in pattern for sign in "*?")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.IGNORECASE)
