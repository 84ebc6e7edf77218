"""Ends queued runs of Dagster as whoever executes them would: reads `RUN-ID STATE` lines, answers each with `done`."""

from __future__ import annotations

import sys

from dagster import DagsterEvent, DagsterEventType, DagsterInstance

KINDS = {"succeeded": DagsterEventType.RUN_SUCCESS, "failed": DagsterEventType.RUN_FAILURE}

with DagsterInstance.get() as instance:
    print("ready", flush=True)
    for line in sys.stdin:
        run_id, state = line.split()
        run = instance.get_run_by_id(run_id)
        assert run is not None
        event = DagsterEvent(event_type_value=KINDS[state].value, job_name=run.job_name, message="ended by hand")
        instance.report_dagster_event(event, run_id)
        print("done", flush=True)
