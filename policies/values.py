"""Values: frozen, slotted, keyword-only classes, which are dataclasses to whoever asks.

`dataclass` writes methods as source for each class and compiles it, and to import it loads `inspect`. A command that has to
answer in a tenth of a second loads a hundred classes and uses half of them: so comparing, showing and refusing to change are
written once for all of them here, and what makes a value is compiled for the first of its class. `dataclasses.fields`,
`replace` and `asdict` work: what they read is made when they read it. A value inherits from no other value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)
Value = TypeVar("Value")

_REQUIRED: Any = object()
"""The default of what has none."""


class _Field:
    """One thing a value holds."""

    __slots__ = ("compare", "default", "factory", "repr")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, compare: bool, repr: bool) -> None:
        self.default, self.factory, self.compare, self.repr = default, factory, compare, repr


def field(*, default: Any = _REQUIRED, default_factory: Callable[[], Any] | None = None, compare: bool = True, repr: bool = True) -> Any:
    """As `dataclasses.field`, of which values need no more."""
    return _Field(default, default_factory, compare, repr)


def replace(value: Value, **changes: Any) -> Value:
    """As `dataclasses.replace`: another value, with these changes."""
    return type(value)(**{name: getattr(value, name) for name in type(value).__slots__} | changes)  # type: ignore[attr-defined]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: Class) -> Class:
    """The class as a value: equal where its type and all that it holds are equal."""
    held = {name: _field_of(cls, name) for name in cls.__dict__.get("__annotations__", ())}  # noqa: RUF063  `inspect` is slow to load
    kept = {name: item for name, item in cls.__dict__.items() if name not in held and name not in ("__dict__", "__weakref__")}
    made: Any = type(cls)(cls.__name__, cls.__bases__, {**kept, **_methods(held), "__slots__": tuple(held)})
    made.__qualname__ = cls.__qualname__
    made.__init__ = _first(made, held)
    return made  # type: ignore[no-any-return]


@dataclass_transform(frozen_default=True, kw_only_default=True, order_default=True, field_specifiers=(field,))
def ordered_value(cls: Class) -> Class:
    """A value that comes before another of its class by the first thing in which they differ."""
    made: Any = value(cls)
    held = attrgetter(*made.__slots__)
    made.__lt__ = lambda self, other: held(self) < held(other) if other.__class__ is made else NotImplemented
    made.__le__ = lambda self, other: held(self) <= held(other) if other.__class__ is made else NotImplemented
    made.__gt__ = lambda self, other: held(self) > held(other) if other.__class__ is made else NotImplemented
    made.__ge__ = lambda self, other: held(self) >= held(other) if other.__class__ is made else NotImplemented
    return made  # type: ignore[no-any-return]


def _field_of(cls: type, name: str) -> _Field:
    found = cls.__dict__.get(name, _REQUIRED)
    if found is not _REQUIRED and found.__class__.__hash__ is None:
        raise ValueError(f"expected a default that cannot change for {cls.__name__}.{name}, found {found!r}; use default_factory")
    if type(found).__module__ == "dataclasses":
        raise TypeError(f"expected policies.values.field for {cls.__name__}.{name}, found dataclasses.field")
    return found if isinstance(found, _Field) else _Field(found, None, compare=True, repr=True)


def _methods(fields: Mapping[str, _Field]) -> dict[str, object]:
    compared = [name for name, field in fields.items() if field.compare]
    held: Callable[[object], object] = attrgetter(*compared) if compared else lambda _: ()

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(held(self))

    def __repr__(self: object) -> str:  # noqa: N807
        shown = (f"{name}={getattr(self, name)!r}" for name, field in fields.items() if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    return {
        "__eq__": __eq__,
        "__hash__": __hash__,
        "__repr__": __repr__,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__reduce__": _reduced,
        "__dataclass_fields__": _DataclassFields(fields),
    }


def _refuse_to_set(self: object, name: str, _: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduced(self: Any) -> tuple[Any, ...]:
    """Copied and pickled as it was made."""
    return _made, (type(self), {name: getattr(self, name) for name in type(self).__slots__})


def _made(cls: Any, held: Mapping[str, object]) -> object:
    return cls(**held)


def _first(cls: Any, fields: Mapping[str, _Field]) -> Callable[..., None]:
    """What makes the first value: it compiles what makes it and all others."""

    def __init__(self: object, **held: object) -> None:  # noqa: N807
        cls.__init__ = _maker(cls, fields)
        cls.__init__(self, **held)

    return __init__


def _maker(cls: Any, fields: Mapping[str, _Field]) -> Callable[..., None]:
    names: dict[str, Any] = {"_REQUIRED": _REQUIRED}
    arguments, lines = [], []
    for name, field in fields.items():
        names[f"_set_{name}"], names[f"_default_{name}"] = getattr(cls, name).__set__, field.default
        given = name
        if field.factory is not None:
            names[f"_new_{name}"] = field.factory
            given = f"_new_{name}() if {name} is _REQUIRED else {name}"
        optional = field.factory is not None or field.default is not _REQUIRED
        arguments.append(f"{name}=_default_{name}" if optional else name)
        lines.append(f"_set_{name}(self, {given})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    star = "*, " if arguments else ""
    exec(f"def __init__(self, {star}{', '.join(arguments)}):\n  " + "\n  ".join(lines or ["pass"]), names)  # noqa: S102  as `dataclass` does
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


class _DataclassFields:
    """A class's `__dataclass_fields__`, made by `dataclasses` when somebody asks."""

    def __init__(self, fields: Mapping[str, _Field]) -> None:
        self._fields = fields

    def __get__(self, _: object, owner: Any) -> dict[str, Any]:
        import dataclasses

        def as_theirs(field: _Field) -> Any:
            default = dataclasses.MISSING if field.default is _REQUIRED else field.default
            if field.factory is not None:
                return dataclasses.field(default_factory=field.factory, compare=field.compare, repr=field.repr)
            return dataclasses.field(default=default, compare=field.compare, repr=field.repr)

        theirs = [(name, owner.__annotations__[name], as_theirs(field)) for name, field in self._fields.items()]
        made: Any = dataclasses.make_dataclass(owner.__name__, theirs, kw_only=True)
        owner.__dataclass_fields__ = made.__dataclass_fields__
        return made.__dataclass_fields__  # type: ignore[no-any-return]
