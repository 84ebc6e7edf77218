"""One attempt of an activity, as a Temporal activity: its outcome as a document, whatever it does.

The attempt keeps its own time (`timeout`, `heartbeat`), as it does on every engine. Temporal only has to find out that a
process is gone: while the attempt runs, the process gives Temporal a sign of life four times within the lease, and hears
in return that the attempt is not wanted any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from gateway.durable.attempts import AttemptOutcome, Succeeded
from gateway.durable.commands import RunActivity
from gateway.durable.port import ONCE, Activity
from gateway.durable.tally import Tally
from gateway.durable.temporal.wire import HANDED_OVER, Document


class Attempting:
    """The attempts of this process. `unfolded`: outcomes on their way into a history, by execution and command."""

    def __init__(self, activities: Mapping[str, Activity]) -> None:
        self.tally = Tally(activities)
        self._running: set[asyncio.Task[AttemptOutcome]] = set()
        self._leaving = False
        self.unfolded: set[tuple[str, str]] = set()

    @activity.defn(dynamic=True)
    async def attempt(self, args: Sequence[RawValue]) -> dict[str, Any]:
        """The activity; see `interpreter.Run` for the document it gets."""
        wanted: Document = activity.payload_converter().from_payload(args[0].payload, dict)
        command = RunActivity(
            name=wanted["activity"],
            arguments=tuple(wanted["arguments"]),
            schedule=ONCE,
            timeout=wanted["timeout"],
            heartbeat=wanted["heartbeat"],
        )
        task = asyncio.create_task(self.tally.attempt(command), name=f"activity {command.name}")
        beating = asyncio.create_task(_beat(wanted["lease"] / 4))
        self._running.add(task)
        try:
            return _document(await self._ended(task))
        finally:
            beating.cancel()
            self._running.discard(task)
            execution = activity.info().workflow_run_id
            if execution is not None:
                self.unfolded.add((execution, wanted["command"]))

    async def _ended(self, task: asyncio.Task[AttemptOutcome]) -> AttemptOutcome:
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # Temporal's word: not wanted any more, or this process stops
            task.cancel()
            await asyncio.wait({task})
            if not self._leaving:
                raise
        if task.cancelled():
            raise ApplicationError("the process stops in good order", type=HANDED_OVER, non_retryable=True)
        return task.result()

    def folded(self, execution: str, command: str) -> None:
        """The outcome is in a step."""
        self.unfolded.discard((execution, command))

    async def leave(self, grace: float) -> None:
        """Give attempts `grace` seconds, then tell them to stop."""
        self._leaving = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in list(self._running):
            task.cancel()

    def come_back(self) -> None:
        """Attempts run again."""
        self._leaving = False
        self.unfolded.clear()


async def _beat(seconds: float) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            activity.heartbeat()
            await asyncio.sleep(min(seconds, 30.0))


def _document(outcome: AttemptOutcome) -> Document:
    if isinstance(outcome, Succeeded):
        return {"outcome": "succeeded", "result": outcome.result}
    return {
        "outcome": "failed",
        "kind": outcome.kind,
        "message": outcome.message,
        "permanent": outcome.permanent,
        "retry_after": outcome.retry_after,
    }
