"""What runs inside Temporal: an interpreter of our histories, the same for every workflow, without any workflow's code.

The fold (`gateway.durable.execution`) runs in a **local activity**, whose result Temporal records: the new events, which
attempts to start, when to go on. So Temporal's history holds ours as data, readable without any code, and what Temporal
replays is this interpreter alone: code of workflows may change as `ctx.version` allows, and a difference is found and
reported by our own fold, not by a Temporal task that fails for ever. This module keeps no clock and imports nothing that
does anything; it needs no sandbox because it never holds what others wrote.

Each attempt of an activity is one Temporal activity with one attempt of Temporal's; the retries are the fold's timers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, WorkflowAlreadyStartedError

from gateway.durable.temporal.locally import copied, locally
from gateway.durable.temporal.wire import (
    DEAD_LETTER,
    HANDED_OVER,
    ORDER,
    SIGNAL,
    STATE,
    STEP,
    Document,
    a_beginning,
    an_order,
)

_ONE_ATTEMPT = RetryPolicy(maximum_attempts=1)
_STUCK = 60.0
"""Seconds a run that this code cannot go on with rests before it is tried again, perhaps by newer code."""
_MARGIN = 15.0
"""Seconds Temporal waits longer for an attempt than the attempt itself: the process that runs it says why it ended."""
_CANCELLED_IN_TEMPORAL = an_order("cancel", {"by": "Temporal"})
"""What a cancellation with Temporal's own tools means to us."""


@workflow.defn(dynamic=True, sandboxed=False)
class Run:
    """One run of one of our workflows."""

    def __init__(self) -> None:
        self._begun: Document = {}
        self._run_id = workflow.info().run_id
        self._events: list[Document] = []
        self._token: str | None = None
        self._inbox: list[Document] = []
        self._arrived = 0
        self._outcomes: list[tuple[str, Document]] = []
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._news = False
        self._state: Document | None = None
        self._has_letter = False

    @workflow.signal(name=SIGNAL)
    def signal(self, message: dict[str, Any]) -> None:
        """Into the inbox, in the order of arrival."""
        self._put(message)

    @workflow.signal(name=ORDER)
    def order(self, message: dict[str, Any]) -> None:
        """An operator's order."""
        self._put(message)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        """Until the fold says that it has ended and nothing more has arrived."""
        self._begun = workflow.payload_converter().from_payload(args[0].payload, dict)
        waiting, self._inbox = self._inbox, []
        for message in [*self._begun["inbox"], *waiting]:
            self._put(message)
        revive = await self._prepare()
        while True:
            try:
                step = await self._step(revive)
                revive = revive if step["stuck"] else None
                if step["ending"] is None:
                    await self._wait(step)
                    continue
                await self._keep_letter(step)
            except asyncio.CancelledError:
                self._put(_CANCELLED_IN_TEMPORAL)
            if not self._news:
                return self._end(step)

    # --- going on --------------------------------------------------------------------------

    async def _prepare(self) -> Document | None:
        revives: Document | None = self._begun["revives"]
        if revives is not None:
            self._run_id = revives["run_id"]
            self._events, inbox = await copied(revives["source"])
            waiting, self._inbox = self._inbox, []
            for message in [*inbox, *waiting]:
                self._put(message)
        if self._begun["delay"]:
            await self._until(self._is_cancelled, self._begun["delay"])
        return None if revives is None else {"by": revives["by"]}

    def _is_cancelled(self) -> bool:
        return any(entry["control"] and entry["name"] == "cancel" for entry in self._inbox)

    async def _until(self, condition: Callable[[], bool], seconds: float | None) -> None:
        try:
            await workflow.wait_condition(condition, timeout=seconds)
        except asyncio.TimeoutError:  # noqa: UP041 - Temporal's loop raises this one
            return
        except asyncio.CancelledError:
            self._put(_CANCELLED_IN_TEMPORAL)

    async def _step(self, revive: Document | None) -> Document:
        self._news = False
        outcomes, self._outcomes = self._outcomes, []
        wanted: Document = {
            "execution": workflow.info().run_id,
            "run_id": self._run_id,
            "type": workflow.info().workflow_type,
            "started_at": workflow.info().workflow_start_time.isoformat(),
            "at": workflow.now().isoformat(),
            "begun": self._begun,
            "token": self._token,
            "events": self._events if self._token is None else None,
            "outcomes": outcomes,
            "inbox": list(self._inbox),
            "running": list(self._attempts),
            "revive": revive,
        }
        try:
            step = await locally(STEP, wanted)
            if step["missing"]:  # another process folded so far
                step = await locally(STEP, {**wanted, "events": self._events})
        except asyncio.CancelledError:  # with Temporal's own tools, in the middle of a step: it is made again
            self._outcomes = outcomes + self._outcomes
            raise
        self._apply(step, {entry["ord"] for entry in wanted["inbox"]}, outcomes)
        return step

    def _apply(self, step: Document, seen: set[int], outcomes: list[tuple[str, Document]]) -> None:
        self._run_id = step["state"]["run_id"]  # an execution reset with Temporal's tools is still the run it was
        self._events += step["events"]
        self._token = step["token"]
        consumed = set(step["consumed"])
        self._inbox = [
            {**entry, "claimed": entry["claimed"] or entry["ord"] in seen} for entry in self._inbox if entry["ord"] not in consumed
        ]
        for message in step["again"]:
            self._put(message)
        if step["stuck"]:
            self._outcomes = outcomes + self._outcomes
        self._show(step["state"], ended=step["ending"] is not None)
        for command in set(self._attempts) - set(step["pending"]):
            self._attempts.pop(command).cancel()
        for wanted in step["attempts"]:
            self._attempts[wanted["command"]] = asyncio.create_task(self._attempt(wanted))

    async def _wait(self, step: Document) -> None:
        seconds: float | None = None
        if step["stuck"]:
            seconds = _STUCK
        elif step["wake_at"] is not None:
            seconds = max(0.001, (datetime.fromisoformat(step["wake_at"]) - workflow.now()).total_seconds())
        await self._until(lambda: self._news, seconds)

    async def _attempt(self, wanted: Document) -> None:
        command: str = wanted["command"]
        try:
            outcome: Document = await workflow.execute_activity(
                wanted["activity"],
                wanted,
                start_to_close_timeout=timedelta(seconds=wanted["timeout"] + _MARGIN),
                heartbeat_timeout=timedelta(seconds=wanted["lease"]),
                retry_policy=_ONE_ATTEMPT,
                result_type=dict,
            )
        except ActivityError as problem:
            if command not in self._attempts:
                return
            outcome = _without_result(problem)
        self._attempts.pop(command, None)
        self._outcomes.append((command, outcome))
        self._news = True

    def _put(self, message: Document) -> None:
        self._arrived += 1
        self._inbox.append({"claimed": False, **message, "ord": self._arrived})
        self._news = True

    def _show(self, state: Document, *, ended: bool) -> None:
        """Visible to whoever looks. A failure is shown only once there is a letter that can be acted upon."""
        if ended and state["status"] == "failed" and not self._has_letter:
            return
        if state != self._state:
            self._state = state
            workflow.upsert_memo({STATE: state})

    # --- ending ----------------------------------------------------------------------------

    async def _keep_letter(self, step: Document) -> None:
        if step["state"]["status"] != "failed" or self._has_letter:
            return
        info = workflow.info()
        letter = {
            "workflow_id": self._begun["workflow_id"],
            "run_id": self._run_id,
            "type": info.workflow_type,
            "source": [info.workflow_id, info.run_id],
            "failed_at": step["state"]["ended_at"],
            "state": step["state"],
        }
        with suppress(WorkflowAlreadyStartedError):  # the run was reset while its letter waits, and failed again
            await workflow.start_child_workflow(
                DEAD_LETTER,
                letter,
                id=f"{info.workflow_id}/dead/{self._run_id}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                memo={STATE: letter},
            )
        self._has_letter = True
        self._show(step["state"], ended=True)

    def _end(self, step: Document) -> Any:
        successor: Document | None = step["successor"]
        if successor is not None:
            begins = a_beginning(self._begun["workflow_id"], successor["input"], continues=successor["continues"], inbox=successor["inbox"])
            workflow.continue_as_new(begins, workflow=successor["type"], memo={})
        ending: Document = step["ending"]
        if ending["kind"] == "failed":
            raise ApplicationError(ending["message"], type=ending["error"], non_retryable=True)
        return ending.get("result")


def _without_result(problem: ActivityError) -> Document:
    """What it means that Temporal has no result of an attempt."""
    cause = problem.cause
    if isinstance(cause, ApplicationError) and cause.type != HANDED_OVER:
        return {
            "outcome": "failed",
            "kind": cause.type or "ApplicationError",
            "message": cause.message,
            "permanent": False,
            "retry_after": None,
        }
    return {"outcome": "lost" if isinstance(cause, TimeoutError) else "handed over"}
