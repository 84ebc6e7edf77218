"""What a torture tells: its counts, and where something is wrong how to see it again."""

from __future__ import annotations

import importlib

import pytest

from tests.contract.durable.torture import Summary
from tests.torture.__main__ import TORTURES
from tests.torture.outcome import seconds, seed


def test_failure_tells_seed_and_what_was_wrong(monkeypatch):
    """With it the same blows fall again."""
    monkeypatch.setenv("ADMIT_TORTURE_SEED", "42")
    outcome = Summary(seed=seed(), cases=2, dispatches=5, kills=1, problems=["chain-1: no run at all"]).outcome()
    assert outcome.told() == (
        "2 workflows by 5 dispatches; 1 kills, 0 stops past the lease; 0 replays agreed; 0 activities executed again\n"
        "seed 42: set ADMIT_TORTURE_SEED to see it again (the same blows; the machine's timing is its own)\n"
        "chain-1: no run at all"
    )


def test_torture_that_hurt_nobody_has_failed():
    """It would prove nothing."""
    assert Summary(seed=1, cases=3, dispatches=3).outcome().problems
    assert not Summary(seed=1, cases=3, dispatches=3, kills=1).outcome().problems


@pytest.mark.parametrize("name", TORTURES)
def test_every_torture_named_is_there(name):
    """`make torture` would find out only after those before it."""
    module, _, function = TORTURES[name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_length_is_what_the_environment_says(monkeypatch):
    """Else what the caller thinks right."""
    monkeypatch.setenv("ADMIT_TORTURE_SECONDS", "7.5")
    assert seconds(60.0) == 7.5
    monkeypatch.setenv("ADMIT_TORTURE_SECONDS", "")
    assert seconds(60.0) == 60.0
