"""How often anybody may ask, by a clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.rates import Limits, Rates
from gateway.storage import StoredToken


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def a_token(name):
    return StoredToken(name=name, hash="0" * 64, scopes=("reader",), created_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=None)


def a_request(path="/v1/decisions", client="192.0.2.1"):
    return {"path": path, "client": (client, 1)}


def test_twice_the_rate_at_once_and_then_the_rate():
    """And no more of it after a long silence."""
    clock = Clock()
    rates = Rates(Limits(per_token=5), clock)
    for silence in (0, 3600):
        clock.now += silence
        assert [rates.wait(a_request(), a_token("ci")) for _ in range(10)] == [0.0] * 10
        wait = rates.wait(a_request(), a_token("ci"))
        assert 0 < wait <= 0.2
        clock.now += wait
        assert rates.wait(a_request(), a_token("ci")) == 0.0
        assert rates.wait(a_request(), a_token("ci")) > 0


def test_each_token_connection_and_address_has_a_limit_of_its_own():
    """One that runs away takes nothing from the others."""
    rates = Rates(Limits(per_token=0.5, per_connection=0.5, per_address=0.5), Clock())
    asked = [
        (a_request(), a_token("ci")),
        (a_request(), a_token("ana")),
        (a_request("/webhooks/work"), None),
        (a_request("/webhooks/home"), None),
        (a_request("/"), None),
        (a_request("/", client="192.0.2.2"), None),
    ]
    assert [rates.wait(*one) for one in asked] == [0.0] * 6
    assert all(rates.wait(*one) > 0 for one in asked)


@given(st.floats(0.1, 100), st.lists(st.floats(0, 3), max_size=60))
def test_what_is_let_through_never_exceeds_the_rate_and_its_burst(rate, pauses):
    """Whenever it is asked."""
    clock = Clock()
    rates = Rates(Limits(per_address=rate), clock)
    through = 0
    for pause in pauses:
        clock.now += pause
        through += rates.wait(a_request(), None) == 0.0
    assert through <= max(2 * rate, 1) + sum(pauses) * rate + 1e-6
