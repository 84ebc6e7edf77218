"""Decision ids are typed on command lines and stand in links."""

from __future__ import annotations

import os
import re

from gateway.operations.judge import new_decision_id


def test_no_id_looks_like_an_option(monkeypatch):
    """One that would begin with a dash is not given out."""
    dash = bytes([62 << 2]) + bytes(23)  # https://www.rfc-editor.org/rfc/rfc4648#section-5: 62 is a dash
    made = iter([dash, dash, bytes(24)])
    monkeypatch.setattr(os, "urandom", lambda count: next(made))
    assert new_decision_id() == "A" * 32
    assert next(made, None) is None


def test_ids_are_long_distinct_and_fit_into_a_link():
    """192 bits in letters, digits, dashes and underscores."""
    ids = {new_decision_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{31}", id) for id in ids)
