"""Local activities as a Temporal workflow calls them. Import-clean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from gateway.durable.temporal.wire import COPY, Document

_PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
"""A fold that fails has no database, or a bug: the run waits."""


async def locally(name: str, document: Document) -> Document:
    result: Document = await workflow.execute_local_activity(
        name, document, start_to_close_timeout=timedelta(seconds=60), retry_policy=_PATIENT, result_type=dict
    )
    return result


async def copied(source: Sequence[str]) -> tuple[list[Document], list[Document]]:
    """Another execution's history, which is part of this one's from now on, and what lies in its inbox."""
    events: list[Document] = []
    while True:
        part = await locally(COPY, {"source": list(source), "after": len(events)})
        events += part["events"]
        if part["complete"]:
            return events, part["inbox"]
