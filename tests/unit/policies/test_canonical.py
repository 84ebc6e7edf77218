"""Canonical bytes: RFC 8785's, whichever way they are made, or a refusal."""

from __future__ import annotations

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from policies import canonical, digest, is_digest
from policies.errors import NotCanonical

safe_integers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
safe_floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number) < 2**53 or not number.is_integer())
texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), safe_integers, texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(max_codepoint=127)), inner)),
    max_leaves=20,
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), safe_integers, safe_floats, texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=20,
)


@given(st.one_of(plain, values))
def test_bytes_are_those_of_the_published_scheme(value):
    """The quick way and the thorough one never differ."""
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_what_was_written_reads_back_equal(value):
    """Nothing is lost, and writing again gives the same bytes."""
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(st.dictionaries(texts, safe_integers))
def test_the_order_of_keys_does_not_show(value):
    """Equal values are equal bytes."""
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        float(2**53),
        1e300,
        -(2**53),
        math.nan,
        math.inf,
        "\ud800",
        {"\ud800": 1},
        {"a": ["\udfff"]},
        object(),
        {1: 2, "x": object()},
        b"bytes",
        {"a": {1, 2}},
    ],
    ids=lambda value: ascii(value)[:14],
)
def test_what_not_every_machine_reads_alike_is_refused(value):
    """No digest is ever made of it."""
    with pytest.raises(NotCanonical):
        canonical(value)


def test_depth_is_refused_and_not_a_crash():
    """Ten thousand levels are nobody's facts."""
    value: object = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(NotCanonical):
        canonical(value)


def test_kinds_do_not_share_digests():
    """A bundle's bytes can never pass for facts."""
    assert digest("facts", b"x") != digest("bundle", b"x")
    assert is_digest(digest("facts", b""))
    assert not is_digest("sha256:xyz")
