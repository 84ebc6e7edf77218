"""The name that was probably meant, for whoever mistyped one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known name most like this one, or None where none is like it."""
    from difflib import get_close_matches  # only who has mistyped waits for it to load

    near = get_close_matches(str(word), list(known), n=1)
    return near[0] if near else None
