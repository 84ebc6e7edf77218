"""A dead letter, read off the history of a run that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.durable.port import DeadLetter, FailedAttempt, HistoryEvent, WorkflowRun

KINDS = ("ActivityScheduled", "AttemptFailed", "AttemptLost", "ActivityFailed", "WorkflowFailed")
"""The events a letter is read off."""


def letter_from(run: WorkflowRun, events: Sequence[HistoryEvent]) -> DeadLetter:
    """What failed, why, and every attempt of it, also those before an earlier revival."""
    failure = next(event for event in reversed(events) if event.kind == "WorkflowFailed")
    attributes: Any = failure.attributes
    commands: list[str] = attributes["commands"]
    scheduled = {str(e.attributes["command"]): e for e in events if e.kind == "ActivityScheduled"}
    failed: Any = scheduled[commands[0]].attributes if commands else {"activity": None, "arguments": []}
    return DeadLetter(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        type=run.type,
        failed_at=failure.at,
        kind=attributes["kind"],
        message=attributes["message"],
        activity=failed["activity"],
        arguments=tuple(failed["arguments"]),
        attempts=tuple(_attempts(events, commands, {name: str(e.attributes["activity"]) for name, e in scheduled.items()})),
    )


def _attempts(events: Sequence[HistoryEvent], commands: Sequence[str], activities: dict[str, str]) -> Iterator[FailedAttempt]:
    for event in events:
        attributes: Any = event.attributes
        if event.kind in {"AttemptFailed", "AttemptLost", "ActivityFailed"} and attributes["command"] in commands:
            yield FailedAttempt(
                at=event.at,
                activity=activities[attributes["command"]],
                number=attributes["attempt"],
                kind=attributes.get("kind", "Lost"),
                message=attributes.get("message", "the process that ran it ended"),
            )
