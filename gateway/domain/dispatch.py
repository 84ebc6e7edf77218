"""What sets a workflow going, written beside the row that caused it so that neither is lost without the other."""

from __future__ import annotations

from dataclasses import dataclass

from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Start this workflow, or signal it, or signal it and start it if it does not run.

    id: makes it happen once, however often it is written or read.
    workflow_type None: only signal what runs (dropped if nothing does).
    signal None: only start (ignored while a run of `workflow_id` is going, or if `start_key` has been used).
    start_key: refuses a second start for as long as it is kept.
    delay: seconds before a started run's first step.
    """

    id: str
    workflow_id: str
    workflow_type: str | None
    input: Json = None
    signal: str | None = None
    payload: Json = None
    start_key: str | None = None
    delay: float = 0.0
