"""The workflow that keeps a status right, with what arrives while it reports."""

from __future__ import annotations

import asyncio

from gateway.durable import Signal
from gateway.workflows.report_status import report_status


class Told:
    """A context whose signals arrive at chosen moments: before the first report, during it, …"""

    def __init__(self, *rounds):
        self.waiting, self.later = list(rounds[0]), [list(signals) for signals in rounds[1:]]
        self.checks = []

    async def wait_signal(self, *names, timeout=None):
        return self.waiting.pop(0) if self.waiting else None

    async def activity(self, name, input, check):
        self.checks.append(check)
        self.waiting += self.later.pop(0) if self.later else []
        return "success"


CHANGED, FOREIGN = Signal(name="changed", payload={"check": False}), Signal(name="changed", payload={"check": True})


def reported(*rounds):
    told = Told(*rounds)
    assert asyncio.run(report_status(told, {})) == "success"
    return told.checks


def test_a_forgery_told_while_reporting_is_looked_at():
    """Whichever place in the queue it has, also the first after a report."""
    assert reported([CHANGED], [FOREIGN]) == [False, True]
    assert reported([CHANGED], [CHANGED, FOREIGN]) == [False, True]
    assert reported([FOREIGN, CHANGED]) == [True]


def test_what_was_looked_at_is_not_looked_at_again():
    """A later change is an ordinary report."""
    assert reported([FOREIGN], [CHANGED]) == [True, False]
    assert reported([]) == [False]
