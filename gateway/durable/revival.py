"""Going on after a failure: which events of a history still count once a dead letter has been revived.

A revival is an event of the same run, appended like any other: nothing is deleted, what happened stays readable. From
it on, the failed commands count as never tried, and so does everything their own branch (and the branches around it)
did after them; what other branches completed is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.durable.port import HistoryEvent

_ATTEMPTS = frozenset(
    {"AttemptFailed", "AttemptLost", "AttemptStarted", "ActivityFailed", "HandedOver", "RetryRequested", "ScheduleChanged"}
)
_ENDINGS = frozenset({"WorkflowFailed", "SignalDropped"})


def effective(events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """The events that count: those before each revival without what it undid."""
    if not any(event.kind == "Revived" for event in events):
        return events
    counted: list[HistoryEvent] = []
    for event in events:
        if event.kind == "Revived":
            commands: Any = event.attributes["commands"]
            counted = [earlier for earlier in counted if not undone(earlier, commands)]
        counted.append(event)
    return counted


def undone(event: HistoryEvent, commands: Sequence[str]) -> bool:
    """True if reviving at these commands takes this event back."""
    if event.kind in _ENDINGS:
        return True
    command = event.attributes.get("command")
    if not isinstance(command, str):
        return False
    if command in commands:
        return event.kind in _ATTEMPTS
    return any(_follows(command, failed) for failed in commands)


def _follows(command: str, failed: str) -> bool:
    """True if `command` was issued after `failed` in its own strand, or after the gather around it in that strand."""
    theirs, ours = _steps(command), _steps(failed)
    for depth in range(0, len(ours), 2):  # a strand's counter, then a branch's place, then a counter …
        if theirs[:depth] != ours[:depth] or len(theirs) <= depth:
            return False
        if theirs[depth] > ours[depth]:
            return True
        if theirs[depth] < ours[depth]:
            return False
    return False


def _steps(command: str) -> tuple[int, ...]:
    """`3/0/1` is the first command of branch 0 of the third command."""
    return tuple(int(step) for step in command.split("/"))
