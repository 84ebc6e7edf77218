"""Values are the dataclasses they look like."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from policies.values import value


@value
class Fact:
    """A value of the tests."""

    name: str
    seen: tuple[int, ...] = ()
    aside: int = field(default=0, compare=False, repr=False)


@value
class Nothing:
    """It holds nothing."""


@value
class Likewise:
    """Another with the same fields."""

    name: str
    seen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """As `dataclass` writes it."""

    name: str
    seen: tuple[int, ...] = ()


def test_values_are_equal_where_type_and_contents_are():
    """As of any dataclass; what is not compared does not count."""
    fact = Fact(name="a", seen=(1,))
    assert fact == Fact(name="a", seen=(1,), aside=7)
    assert hash(fact) == hash(Fact(name="a", seen=(1,), aside=7))
    assert fact not in (Fact(name="b", seen=(1,)), Fact(name="a"), Likewise(name="a", seen=(1,)), "a", None)
    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing(), fact, replace(fact, aside=1), replace(fact, name="b")}) == 3


def test_values_show_what_they_hold():
    """In the words of `dataclass`."""
    assert repr(Fact(name="a", seen=(1,), aside=7)) == repr(Written(name="a", seen=(1,))).replace("Written", "Fact")


def test_values_do_not_change_and_are_named_in_full():
    """Nothing is set later, nothing is given by position, nothing is added."""
    fact = Fact(name="a")
    with pytest.raises(FrozenInstanceError):
        fact.name = "b"
    with pytest.raises(TypeError):
        Fact("a")
    assert not hasattr(fact, "__dict__")
