"""Values are the dataclasses they look like."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import FrozenInstanceError, dataclass

import pytest

from policies.values import field, ordered_value, replace, value


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


@ordered_value
class Step:
    """A value with an order, checked as it is made."""

    number: int
    name: str = "step"
    notes: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("a step counts from 0")


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


def test_values_are_made_with_what_was_left_out():
    """A default is the same for all, a factory makes one for each; what is left out without either, or unknown, is refused."""
    one, other = Step(number=1), Step(number=1)
    assert (one.name, one.notes) == ("step", {})
    assert one.notes is not other.notes
    for wrong in ({}, {"number": 1, "nmae": "x"}):
        with pytest.raises(TypeError):
            Step(**wrong)
    with pytest.raises(ValueError, match="counts from 0"):
        replace(one, number=-1)


def test_ordered_values_come_in_the_order_of_their_fields():
    """And are compared with their own kind alone."""
    steps = [Step(number=2), Step(number=1, name="b"), Step(number=1, name="a", notes={"x": 1})]
    assert sorted(steps) == steps[::-1]
    assert Step(number=1) <= Step(number=1) < Step(number=2) > Step(number=1) >= Step(number=1)
    with pytest.raises(TypeError):
        _ = Step(number=1) < Fact(name="a")


def test_values_are_dataclasses_to_whoever_asks():
    """What the standard library does with dataclasses it does with values, copies among them."""
    fact = Fact(name="a", seen=(1,), aside=7)
    assert dataclasses.is_dataclass(fact)
    assert [each.name for each in dataclasses.fields(Fact)] == ["name", "seen", "aside"]
    assert dataclasses.asdict(fact) == {"name": "a", "seen": (1,), "aside": 7}
    assert dataclasses.replace(fact, aside=0).aside == 0
    for copy in (deepcopy(fact), pickle.loads(pickle.dumps(fact))):
        assert dataclasses.asdict(copy) == dataclasses.asdict(fact)


def test_values_refuse_what_they_would_misread():
    """A default that all would share, and `dataclasses.field`, which would become one."""
    for default, problem in (([], ValueError), (dataclasses.field(default=1), TypeError)):
        with pytest.raises(problem, match=r"Wrong\.held"):
            value(type("Wrong", (), {"__annotations__": {"held": "object"}, "held": default}))
