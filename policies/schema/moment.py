"""A time as the input writes it. Separate, because the models and the walk over their schema hold it to the same."""

from __future__ import annotations

import re
from datetime import datetime

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")


def is_moment(text: str) -> bool:
    """True for RFC 3339 with a zone. Stricter than Python: what it takes, OPA's time.parse_rfc3339_ns takes too."""
    if _RFC3339.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
