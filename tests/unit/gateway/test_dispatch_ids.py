"""Ids that every database can index, and that never make two things one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.dispatch import ID_LIMIT, id_of


@given(st.lists(st.text(max_size=300), min_size=1, max_size=4), st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_ids_are_short_and_differ_where_their_texts_do(one, other):
    """Cutting a long name off would let two branches share a status."""
    assert len(id_of(*one)) <= ID_LIMIT
    assert (id_of(*one) == id_of(*other)) == (":".join(one) == ":".join(other))


def test_long_names_that_begin_alike_stay_apart():
    """The beginning is kept to be read, the hash tells them apart."""
    first, second = id_of("report", "x" * 300 + "1"), id_of("report", "x" * 300 + "2")
    assert first != second
    assert first.startswith("report:xxx")
