"""Keys of free text, and what a name may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.keys import change_key, head_key, is_name, key, repository_key

parts = st.lists(st.one_of(st.text(st.characters()), st.integers()), max_size=4)


@given(parts, parts)
def test_keys_are_equal_exactly_when_their_parts_are(one, other):
    """Also of NUL, lone surrogates, and parts that run into each other when joined."""
    assert (key(*one) == key(*other)) == ([(type(p), p) for p in one] == [(type(p), p) for p in other])


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "b:c"), ("a:b", "c")), (("1",), (1,)), (("ab", ""), ("a", "b")), (("a\0",), ("a",)), (("a ",), ("a",))]
)
def test_neighbours_do_not_run_together(one, other):
    """Joined text would be the same, or a database would take it for the same."""
    assert key(*one) != key(*other)


def test_repositories_are_compared_without_case_and_heads_are_not():
    """As forges do."""
    assert repository_key("Acme/SHOP") == repository_key("acme/shop")
    assert change_key("work", "Acme/SHOP", 7) == change_key("work", "acme/shop", 7)
    assert change_key("Work", "acme/shop", 7) != change_key("work", "acme/shop", 7)
    assert head_key("work", "12", "ABC") != head_key("work", "12", "abc")


@given(st.text(st.characters()))
def test_name_fits_every_database(text):
    """What passes can be encoded, has no control character, no blanks around it, and fits the column."""
    if is_name(text):
        assert text.encode()
        assert "\0" not in text
        assert text == text.strip()
        assert len(text) <= 191


@pytest.mark.parametrize("text", ["", " a", "a ", "a\0b", "a\nb", "\ud800", "x" * 192])
def test_not_a_name(text):
    """Each for its reason."""
    assert not is_name(text)


@pytest.mark.parametrize("text", ["a", "ci token", "ü", "👍", "x" * 191, "Zm9v_-"])
def test_a_name(text):
    """What people call things."""
    assert is_name(text)
