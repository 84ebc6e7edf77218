"""Which events still count after a revival."""

from __future__ import annotations

import pytest

from gateway.durable import HistoryEvent
from gateway.durable.revival import effective, undone
from tests.unit.durable.histories import NOON

FOLLOWS = [
    ("2", "1", True),
    ("1", "2", False),
    ("3/0/1", "2", True),
    ("3/0/2", "3/0/1", True),
    ("3/1/1", "3/0/1", False),
    ("3", "3/0/1", False),
    ("4", "3/0/1", True),
    ("10", "9", True),
    ("3/0/2/1/1", "3/0/1", True),
    ("3/0/1/0/2", "3/0/1/1/1", False),
    ("3/0/2", "3/0/1/1/1", True),
    ("3/10/1", "3/9/1", False),
]


def an_event(kind, command=None, **attributes):
    return HistoryEvent(sequence=1, at=NOON, kind=kind, attributes={**({"command": command} if command else {}), **attributes})


@pytest.mark.parametrize(("command", "failed", "taken_back"), FOLLOWS, ids=[f"{c} after {f}" for c, f, _ in FOLLOWS])
def test_what_followed_the_failure_is_taken_back(command, failed, taken_back):
    """In its own branch and the branches around it; what ran beside it stays."""
    assert undone(an_event("ActivityCompleted", command), [failed]) is taken_back


def test_failed_command_stays_asked_for_but_counts_as_never_tried():
    """Its intent is kept, its attempts are not."""
    assert not undone(an_event("ActivityScheduled", "1"), ["1"])
    assert undone(an_event("AttemptFailed", "1"), ["1"])
    assert undone(an_event("ActivityFailed", "1"), ["1"])


def test_history_without_a_revival_counts_whole():
    """Nothing is copied."""
    events = [an_event("WorkflowStarted"), an_event("ActivityScheduled", "1")]
    assert effective(events) is events


def test_second_revival_takes_back_what_the_first_led_to():
    """Each works on what counted until then."""
    events = [
        an_event("WorkflowStarted"),
        an_event("ActivityScheduled", "1"),
        an_event("ActivityFailed", "1"),
        an_event("WorkflowFailed"),
        an_event("Revived", commands=["1"]),
        an_event("ActivityCompleted", "1"),
        an_event("ActivityScheduled", "2"),
        an_event("ActivityFailed", "2"),
        an_event("WorkflowFailed"),
        an_event("Revived", commands=["2"]),
    ]
    assert [event.kind for event in effective(events)] == [
        "WorkflowStarted",
        "ActivityScheduled",
        "Revived",
        "ActivityCompleted",
        "ActivityScheduled",
        "Revived",
    ]
