"""Cursors: opaque, and only our own."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.cursor import read_cursor, write_cursor

places = st.tuples(st.integers(-(10**17), 10**17), st.integers(0, 10**17))


@given(places)
def test_what_was_written_is_read(place):
    """And fits into a URL as it is."""
    cursor = write_cursor(*place)
    assert read_cursor(cursor) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_anything_else_is_refused(text):
    """With a ValueError and nothing else, unless it happens to be one of ours, letter by letter."""
    try:
        place = read_cursor(text)
    except ValueError:
        return
    assert write_cursor(*place) == text


@given(places, st.data())
def test_changed_cursor_is_another_place_or_refused(place, data):
    """No two texts lead to the same place."""
    cursor = write_cursor(*place)
    position = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_= "))
    changed = cursor[:position] + letter + cursor[position + 1 :]
    if changed == cursor:
        return
    with suppress(ValueError):
        assert read_cursor(changed) != place


def test_no_cursor_is_no_empty_cursor():
    """An empty text was never given out."""
    with pytest.raises(ValueError, match="cursor"):
        read_cursor("")
