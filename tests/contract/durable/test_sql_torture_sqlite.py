"""The embedded engine under torture on SQLite; `make torture` does it for longer."""

from __future__ import annotations

import pytest

from tests.contract.durable.torture import END_LIMIT
from tests.torture.durable import on_sqlite
from tests.torture.outcome import seconds, seed

SECONDS = seconds(60.0)


@pytest.mark.timeout(SECONDS + END_LIMIT + 600)
def test_killed_and_frozen_processes_lose_nothing():
    """Expected results, replays that agree, signals in order."""
    outcome = on_sqlite(SECONDS, seed())
    print(f"torture: {outcome.summary}")
    assert not outcome.problems, outcome.told()
