"""When the next attempt is due."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.durable import ONCE, PATIENT, PROMPT, RetrySchedule
from gateway.durable.retries import next_delay

STEADY = RetrySchedule(name="steady", delays=(1, 5), jitter=0.0)


def delays(schedule, *, retry_after=None, limit=10_000):
    """All of them, for a side that is down for good and attempts that take no time."""
    elapsed, out = 0.0, []
    for failures in itertools.count(1):
        delay = next_delay(schedule, failures=failures, elapsed=elapsed, retry_after=retry_after, seed="x")
        if delay is None or len(out) == limit:
            return out
        out.append(delay)
        elapsed += delay
    return None


def without_jitter(schedule):
    return dataclasses.replace(schedule, jitter=0.0)


def test_patient_schedule_is_eight_attempts_over_a_day():
    """5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h after the first."""
    waits = delays(without_jitter(PATIENT))
    assert len(waits) + 1 == 8
    assert sum(waits) / 3600 == pytest.approx(27.6, abs=0.05)


def test_prompt_schedule_goes_on_for_a_day():
    """1, 5, 15, 60 s, then every two minutes."""
    waits = delays(without_jitter(PROMPT))
    assert waits[:6] == [1, 5, 15, 60, 120, 120]
    assert 24 * 3600 <= sum(waits) < 24 * 3600 + 240


def test_once_is_once():
    """No second attempt."""
    assert delays(ONCE) == []


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [(None, [1, 5]), (0.0, [1, 5]), (3.0, [3, 5]), (10**9, [3600, 3600])],
    ids=["nothing asked", "less than ours", "between", "for ever"],
)
def test_retry_after_lengthens_up_to_its_limit(retry_after, expected):
    """It never shortens the schedule's own delay."""
    assert delays(STEADY, retry_after=retry_after) == expected


schedules = st.builds(
    RetrySchedule,
    name=st.just("any"),
    delays=st.lists(st.floats(0.001, 10_000), max_size=8).map(tuple),
    repeat_last_for=st.sampled_from([0.0, 100.0, 10_000.0]),
    jitter=st.floats(0, 1),
)


@given(schedule=schedules, failures=st.integers(1, 12), elapsed=st.floats(0, 20_000), seed=st.text(max_size=5))
def test_jitter_stays_within_its_fraction_and_is_the_same_for_everybody(schedule, failures, elapsed, seed):
    """Whoever computes it."""
    ask = {"failures": failures, "elapsed": elapsed, "retry_after": None}
    delay = next_delay(schedule, **ask, seed=seed)
    plain = next_delay(without_jitter(schedule), **ask, seed=seed)
    assert (delay is None) == (plain is None)
    if delay is not None:
        assert plain * (1 - schedule.jitter) - 1e-9 <= delay <= plain * (1 + schedule.jitter) + 1e-9
        assert delay == next_delay(schedule, **ask, seed=seed)


@given(schedule=schedules, elapsed=st.floats(10_000, 1e9))
def test_every_schedule_ends(schedule, elapsed):
    """Once its delays are used up and its time for repeating has passed."""
    assert next_delay(schedule, failures=len(schedule.delays) + 1, elapsed=elapsed, retry_after=None, seed="x") is None
