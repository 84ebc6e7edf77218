"""Values: dataclasses that are frozen, slotted and keyword-only, with comparing and showing written once for all of them.

`dataclass` writes each method as source for each class and compiles it; a command that has to answer in a tenth of a second
loads sixty classes, and spent a tenth of that on them. What a value promises is `dataclass`'s: `replace` and `fields` work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: Class) -> Class:
    """The class as a value: equal where its type and all that it holds are equal."""
    made: Any = dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)(cls)
    _compared(made)
    return made  # type: ignore[no-any-return]


def _compared(cls: Any) -> None:
    held = _held([each.name for each in fields(cls) if each.compare])
    shown = [each.name for each in fields(cls) if each.repr]

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(held(self))

    def __repr__(self: object) -> str:  # noqa: N807
        return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    cls.__eq__, cls.__hash__, cls.__repr__ = __eq__, __hash__, __repr__


def _held(names: list[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _: ()
