"""The kinds of events a history is made of, by what they mean to the fold; and how one is shown to a person.

MOVES let the run go on. INTENTS record what the code asked for, before its effect. OUTCOMES say which kinds answer which
intent. ENDINGS close a run; COMPARED says what of them has to agree with the code. Renaming a kind breaks every history.
"""

from __future__ import annotations

from gateway.durable.payloads import attributes_text
from gateway.durable.port import HistoryEvent

MOVES = frozenset(
    {"WorkflowStarted", "ActivityCompleted", "ActivityFailed", "AttemptStarted", "AttemptFailed", "AttemptLost", "HandedOver"}
    | {"RetryRequested", "ScheduleChanged", "TimerFired", "WaitTimedOut", "SignalConsumed", "CancelRequested", "LimitReached"}
)
INTENTS = frozenset({"ActivityScheduled", "TimerStarted", "SignalAwaited", "Branched"})
OUTCOMES = {
    "ActivityScheduled": frozenset({"ActivityCompleted", "ActivityFailed"}),
    "TimerStarted": frozenset({"TimerFired"}),
    "SignalAwaited": frozenset({"SignalConsumed", "WaitTimedOut"}),
    "Branched": frozenset[str](),
}
ENDINGS = frozenset({"WorkflowCompleted", "WorkflowFailed", "WorkflowCancelled", "ContinuedAsNew"})
COMPARED = {"WorkflowCompleted": ("result",), "WorkflowFailed": ("kind",), "WorkflowCancelled": (), "ContinuedAsNew": ("input",)}
NOTES = frozenset({"VersionMarked", "SignalDropped", "Revived", "Discarded"})
"""Kinds that may stand between a command and its intent, and that no code is resumed by."""
KNOWN = MOVES | INTENTS | ENDINGS | NOTES
_HOW = {"ActivityScheduled": {"schedule", "timeout", "heartbeat"}, "TimerStarted": {"fire_at"}, "SignalAwaited": {"until"}}
"""Attributes that say how, not what; a difference is easier to read without them."""


def shown(event: HistoryEvent) -> str:
    what = {key: value for key, value in event.attributes.items() if key not in _HOW.get(event.kind, ())}
    return f"event {event.sequence}: {event.kind} {attributes_text(what)}"
