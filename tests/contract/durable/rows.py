"""Rows of the embedded engine, for tests below the port."""

from __future__ import annotations

import json

from gateway.durable import HistoryEvent
from gateway.durable.sql.beginning import NewRun
from gateway.storage.columns import from_ms


def a_new_run(run_id, *, at_ms, wake_at_ms=None):
    """Its workflow's id is its own."""
    return NewRun(
        run_id=run_id,
        workflow_id=run_id,
        type="w",
        input_text="null",
        at_ms=at_ms,
        wake_at_ms=at_ms if wake_at_ms is None else wake_at_ms,
    )


def a_signal_row(run_id, payload=None):
    """As it goes into the inbox."""
    return {
        "run_id": run_id,
        "name": "s",
        "payload": json.dumps(payload),
        "control": False,
        "start_type": None,
        "start_input": None,
    }


def an_event(sequence):
    """One that nothing depends on."""
    return HistoryEvent(sequence=sequence, at=from_ms(1_795_000_000_000), kind="SignalDropped", attributes={"name": "s", "payload": 1})
