"""Decision ids are typed on command lines and stand in links."""

from __future__ import annotations

import re
import secrets

from gateway.operations.judge import new_decision_id


def test_no_id_looks_like_an_option(monkeypatch):
    """One that would begin with a dash is not given out."""
    made = iter(["-option", "-o", "fine-id"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda count: next(made))
    assert new_decision_id() == "fine-id"


def test_ids_are_long_distinct_and_fit_into_a_link():
    """192 bits in letters, digits, dashes and underscores."""
    ids = {new_decision_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{31}", id) for id in ids)
