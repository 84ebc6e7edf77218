"""Where two JSON values part: for people who have to see what changed, not only that something did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from policies.model import Json

_NOTHING: Any = object()


def first_difference(recorded: Json, recomputed: Json) -> tuple[str, str, str]:
    """The first place that differs (`violations[0].message`), and both sides as JSON. Raises StopIteration for equal values."""
    return next(_differences(recorded, recomputed, ""))


def _differences(here: Any, there: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Outermost keys in the order of the first value."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in [*here, *(key for key in there if key not in here)]:
            yield from _differences(here.get(key, _NOTHING), there.get(key, _NOTHING), f"{place}.{key}" if place else key)
    elif isinstance(here, list) and isinstance(there, list):
        for number in range(max(len(here), len(there))):
            yield from _differences(_at(here, number), _at(there, number), f"{place}[{number}]")
    elif type(here) is not type(there) or here != there:
        yield place, _written(here), _written(there)


def _at(items: list[Any], number: int) -> Any:
    return items[number] if number < len(items) else _NOTHING


def _written(value: Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)
