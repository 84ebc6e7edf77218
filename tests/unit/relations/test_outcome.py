"""How outcomes combine: the algebra under `or`, `and` and `but not`."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from policies.errors import RelationsRefused
from policies.relations.outcome import CIRCLE, NO, Fault, all_of, any_of, is_proof, unless
from policies.relations.proof import Itself, Together, Unless

YES = Itself("team:1", "member")
UNKNOWN = Fault(RelationsRefused("unknown"))
UNKNOWN_BESIDE_A_CIRCLE = Fault(RelationsRefused("unknown beside a circle"), circle=True)
EVERY = (YES, NO, CIRCLE, UNKNOWN, UNKNOWN_BESIDE_A_CIRCLE)


def kind(outcome):
    """Its name; proofs are alike."""
    if is_proof(outcome):
        return "yes"
    if isinstance(outcome, Fault):
        return "unknown beside a circle" if outcome.circle else "unknown"
    return outcome.name.lower()


@pytest.mark.parametrize("operands", list(product(EVERY, repeat=3)), ids=lambda operands: ", ".join(kind(one) for one in operands))
def test_the_order_of_operands_decides_nothing(operands):
    """`or` and `and` come to the same whichever operand is asked first."""
    assert len({kind(any_of(order)) for order in permutations(operands)}) == 1
    assert len({kind(all_of(order)) for order in permutations(operands)}) == 1


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ((), "no"),
        ((NO, CIRCLE, UNKNOWN, YES), "yes"),
        ((NO, UNKNOWN), "unknown"),
        ((NO, CIRCLE), "circle"),
        ((UNKNOWN, CIRCLE), "unknown beside a circle"),
    ],
)
def test_or_is_a_yes_if_anything_is(operands, expected):
    """A yes wins, then what is unknown, then a circle."""
    assert kind(any_of(operands)) == expected


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ((YES, YES), "yes"),
        ((YES, NO), "no"),
        ((UNKNOWN, NO), "no"),
        ((UNKNOWN, YES), "unknown"),
        ((CIRCLE, NO), "circle"),
        ((CIRCLE, YES), "circle"),
        ((UNKNOWN_BESIDE_A_CIRCLE, NO), "unknown beside a circle"),
    ],
)
def test_and_is_a_yes_only_if_all_are(operands, expected):
    """A no settles what is unknown, unless the unknown hides a circle."""
    assert kind(all_of(operands)) == expected


@pytest.mark.parametrize(
    ("base", "taken", "expected"),
    [
        (YES, NO, "yes"),
        (YES, YES, "no"),
        (NO, NO, "no"),
        (NO, UNKNOWN, "no"),
        (UNKNOWN, YES, "no"),
        (UNKNOWN, NO, "unknown"),
        (YES, UNKNOWN, "unknown"),
        (YES, CIRCLE, "circle"),
        (CIRCLE, NO, "circle"),
        (NO, UNKNOWN_BESIDE_A_CIRCLE, "unknown beside a circle"),
    ],
)
def test_but_not_is_a_yes_only_if_nothing_is_taken_away_for_sure(base, taken, expected):
    """Neither the unknown nor a circle on the right side lets anybody through."""
    assert kind(unless(base, taken)) == expected


@pytest.mark.parametrize("outcome", [NO, CIRCLE, UNKNOWN, UNKNOWN_BESIDE_A_CIRCLE], ids=kind)
def test_nothing_but_a_yes_becomes_a_yes(outcome):
    """No operator makes a yes of something that is none, alone or beside itself."""
    for combined in (any_of([outcome]), all_of([outcome, YES]), unless(outcome, NO), unless(YES, outcome) if outcome is not NO else NO):
        assert not is_proof(combined)


def test_a_yes_carries_its_reasons():
    """The proofs of all operands of an `and`, and of the base of a `but not`."""
    assert all_of([YES, YES]) == Together((YES, YES))
    assert unless(YES, NO) == Unless(YES)
