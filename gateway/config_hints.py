"""What was probably meant by a key `admit.yaml` does not have: looked for among those of the same block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from policies.nearest import nearest


def unknown_key(settings: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """What to say of the unknown key at this place of these settings."""
    blocks: list[type[BaseModel]] = [settings]
    for part in place[:-1]:
        inner = [model for block in blocks if part in block.model_fields for model in _models(block.model_fields[str(part)].annotation)]
        blocks = inner or blocks  # a number, or a word that only tells which of several forms a block has
    known = sorted({name for block in blocks for name in block.model_fields})
    near = nearest(place[-1], known)
    return f"unknown key; did you mean {near}?" if near else f"unknown key; expected one of {', '.join(known)}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
