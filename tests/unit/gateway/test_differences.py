"""Where two values part is told by the first place, with both sides."""

from __future__ import annotations

import pytest

from gateway.domain.differences import first_difference


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ("b", "2", "3")),
        ({"a": [{"m": "x"}]}, {"a": [{"m": "y"}]}, ("a[0].m", '"x"', '"y"')),
        ({"a": [1]}, {"a": []}, ("a[0]", "1", "nothing")),
        ({"a": []}, {"a": [1, 2]}, ("a[0]", "nothing", "1")),
        ({}, {"new": None}, ("new", "nothing", "null")),
        ({"a": None}, {}, ("a", "null", "nothing")),
        ({"a": True}, {"a": 1}, ("a", "true", "1")),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, ("z", "1", "2")),
        ([1], {"a": 1}, ("", "[1]", '{"a": 1}')),
    ],
    ids=["value", "nested", "shorter", "longer", "new-key", "lost-key", "type", "order-of-the-first", "kinds"],
)
def test_first_place_that_differs(here, there, told):
    """A path, and what stands there on both sides."""
    assert first_difference(here, there) == told
