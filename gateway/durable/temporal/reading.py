"""Runs and histories as seen from outside, read off what Temporal keeps: memos for how a run stands, markers for its history.

A run that failed is where its letter says: waiting, put away, or going on in another execution. One run may therefore
have had several executions; its id is that of the first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory

from gateway.durable.port import DurableError, HistoryEvent, UnknownWorkflow, WorkflowRun, WorkflowStatus
from gateway.durable.temporal.converting import CONVERTER
from gateway.durable.temporal.events import beginning_in, events_in, whole_ms
from gateway.durable.temporal.server import Server
from gateway.durable.temporal.wire import DEAD_LETTER, STATE, Document, execution_id, letter_id, letter_prefix

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A run, and the execution that has its history. discarded: who put it away and when."""

    run: WorkflowRun
    id: str
    execution: str
    discarded: Document | None = None


class Reading:
    """Reads one namespace."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def locate(self, workflow_id: str, run_id: str | None = None) -> Located:
        """The run (the one begun or revived last if not named) as it stands now. Raises UnknownWorkflow."""
        found = await self._server.describe(execution_id(self._server.task_queue, workflow_id), run_id)
        state = await state_of(found) if found is not None else None
        if run_id is not None and found is not None and (again := await self._reset(workflow_id, found, state)) is not None:
            return again
        if found is not None and (state is None or state["status"] not in {"failed", "void"}):
            return Located(run=run_from(found, state, workflow_id), id=found.id, execution=found.run_id)
        if found is not None and state is not None and state["status"] == "failed":
            fallback = Located(run=run_from(found, state, workflow_id), id=found.id, execution=found.run_id)
            return await self._by_letter(workflow_id, state["run_id"]) or fallback
        if run_id is not None and found is None:
            elsewhere = await self._by_letter(workflow_id, run_id) or await self._by_memo(workflow_id, run_id)
            if elsewhere is not None:
                return elsewhere
        if run_id is None and found is not None:  # begun twice for one dispatch: what was before it counts
            return await self._before(workflow_id)
        if run_id is None and (letters := await self.letters(type=None, workflow_id=workflow_id)):
            return letters[0]  # of its executions only the letter is kept
        raise UnknownWorkflow(f"no run of workflow '{workflow_id}'" + (f" with the id '{run_id}'" if run_id else ""))

    async def _reset(self, workflow_id: str, found: WorkflowExecution, state: Document | None) -> Located | None:
        """The execution a run goes on in since it was reset with Temporal's own tools; None if it was not."""
        newest = await self._server.describe(found.id) if state is not None else None
        if newest is None or newest.run_id == found.run_id:
            return None
        now = await state_of(newest)
        if now is None or state is None or now["run_id"] != state["run_id"] or now["status"] in {"failed", "void"}:
            return None
        return Located(run=run_from(newest, now, workflow_id), id=newest.id, execution=newest.run_id)

    async def _by_letter(self, workflow_id: str, run_id: str) -> Located | None:
        found = await self._server.describe(letter_id(self._server.task_queue, workflow_id, run_id))
        letter = await state_of(found) if found is not None else None
        if found is None or letter is None:
            return None
        if letter.get("how") == "revived":
            alive = await self._server.describe(execution_id(self._server.task_queue, workflow_id), letter["execution"])
            if alive is None:
                return None
            return Located(run=run_from(alive, await state_of(alive), workflow_id), id=alive.id, execution=alive.run_id)
        return await self.by_letter(found, letter)

    async def _by_memo(self, workflow_id: str, run_id: str) -> Located | None:
        """A run whose first execution was elsewhere: with the embedded engine, or is not kept any more."""
        query = f"WorkflowId = {quoted(execution_id(self._server.task_queue, workflow_id))}"
        newest = await self._server.describe(execution_id(self._server.task_queue, workflow_id))
        candidates = [newest] if newest is not None else []
        for found in [*candidates, *await self._server.listed(query, limit=_PAGE)]:
            state = await state_of(found)
            if state is not None and state["run_id"] == run_id:
                return await self.locate(workflow_id, found.run_id)
        return None

    async def by_letter(self, found: WorkflowExecution, letter: Document) -> Located:
        """The failed run a letter is about."""
        run = _run(letter["workflow_id"], letter["type"], letter["state"])
        discarded = letter if letter.get("how") == "discarded" else None
        if discarded is not None:
            run = replace(run, status=WorkflowStatus.CANCELLED)
        source = await self._server.describe(*letter["source"])
        id, execution = letter["source"] if source is not None else (found.id, found.run_id)
        return Located(run=run, id=id, execution=execution, discarded=discarded)

    async def _before(self, workflow_id: str) -> Located:
        query = f"WorkflowId = {quoted(execution_id(self._server.task_queue, workflow_id))}"
        listed = await self._server.listed(query, limit=100)
        for found in sorted(listed, key=lambda each: each.start_time, reverse=True):
            state = await state_of(found)
            if state is None or state["status"] != "void":
                return await self.locate(workflow_id, found.run_id)
        raise UnknownWorkflow(f"no run of workflow '{workflow_id}'")

    async def history(self, located: Located) -> tuple[list[HistoryEvent], WorkflowHistory]:
        """Our events, and Temporal's."""
        fetched = await self._server.history(located.id, located.execution)
        if fetched is None:
            raise UnknownWorkflow(f"the history of workflow '{located.run.workflow_id}' is not kept any more")
        events = await events_in(fetched.events, CONVERTER) or await self._before_its_first_step(fetched)
        if located.discarded is not None:
            at = max(datetime.fromisoformat(located.discarded["at"]), events[-1].at)
            attributes = {"by": located.discarded["by"]}
            events.append(HistoryEvent(sequence=len(events) + 1, at=at, kind="Discarded", attributes=attributes))
        return events, fetched

    async def _before_its_first_step(self, fetched: WorkflowHistory) -> list[HistoryEvent]:
        beginning = await beginning_in(fetched.events[0], CONVERTER)
        if isinstance(beginning, HistoryEvent):
            return [beginning]
        revived = await self._server.history(*beginning)
        return [] if revived is None else await events_in(revived.events, CONVERTER)

    async def list(self, *, type: str | None, without: Collection[str] = (), open_only: bool = False, limit: int = 0) -> list[WorkflowRun]:
        """Newest first among the executions the index gives first: 1,000, or `limit` if that is more."""
        query = f"TaskQueue = {quoted(self._server.task_queue)}"
        query += "".join(f" AND WorkflowType != {quoted(other)}" for other in (DEAD_LETTER, *without))
        query += f" AND WorkflowType = {quoted(type)}" if type is not None else ""
        query += " AND ExecutionStatus = 'Running'" if open_only else ""
        runs: dict[str, WorkflowRun] = {}
        for found in await self._server.listed(query, limit=10 * _PAGE if open_only else max(limit, _PAGE)):
            run = await self._listed(found)
            if run is not None:
                runs[run.run_id] = run
        if not open_only:
            letters = [letter.run for letter in await self.letters(type=type) if letter.run.type not in without]
            runs |= {run.run_id: run for run in letters if run.run_id not in runs}
        return sorted(runs.values(), key=lambda run: run.started_at, reverse=True)

    async def _listed(self, found: WorkflowExecution) -> WorkflowRun | None:
        workflow_id = found.id.removeprefix(execution_id(self._server.task_queue, ""))
        state = await state_of(found)
        if state is not None and state["status"] == "void":
            return None
        if state is not None and state["status"] == "failed":
            return (await self.locate(workflow_id, found.run_id)).run
        return run_from(found, state, workflow_id)

    async def letters(self, *, type: str | None, workflow_id: str | None = None) -> Sequence[Located]:
        """Failed runs nobody has decided about, newest first, as far as the index knows."""
        query = f"TaskQueue = {quoted(self._server.task_queue)} AND WorkflowType = {quoted(DEAD_LETTER)} AND ExecutionStatus = 'Running'"
        if workflow_id is not None:
            query += f" AND WorkflowId STARTS_WITH {quoted(letter_prefix(self._server.task_queue, workflow_id))}"
        found = [(each, await state_of(each)) for each in await self._server.listed(query, limit=_PAGE)]
        wanted = [(each, letter) for each, letter in found if letter is not None and "how" not in letter and type in {None, letter["type"]}]
        wanted.sort(key=lambda pair: (pair[1]["failed_at"], pair[0].start_time), reverse=True)
        return [await self.by_letter(each, letter) for each, letter in wanted]


async def state_of(found: WorkflowExecution) -> Document | None:
    """What its memo says; None before its first step."""
    state: Document | None = (await found.memo()).get(STATE)
    return state


def run_from(found: WorkflowExecution, state: Document | None, workflow_id: str) -> WorkflowRun:
    """As it stands; Temporal's own word where it was ended with Temporal's own tools."""
    if state is None:
        started = whole_ms(found.start_time).isoformat()
        state = {"run_id": found.run_id, "status": "ready", "started_at": started}
    run = _run(workflow_id, found.workflow_type, state)
    if found.status in {None, WorkflowExecutionStatus.RUNNING} or run.status.ended:
        return run
    if found.close_time is None:
        raise DurableError(f"Temporal says that workflow '{workflow_id}' is {found.status}, and not since when")
    how = found.status.name.lower().replace("_", " ") if found.status is not None else "ended"
    return replace(run, status=WorkflowStatus.CANCELLED, ended_at=whole_ms(found.close_time), wake_at=None, error=f"{how} in Temporal")


def _run(workflow_id: str, type: str, state: Document) -> WorkflowRun:
    return WorkflowRun(
        workflow_id=workflow_id,
        run_id=state["run_id"],
        type=type,
        status=WorkflowStatus(state["status"]),
        started_at=datetime.fromisoformat(state["started_at"]),
        ended_at=_moment(state.get("ended_at")),
        wake_at=_moment(state.get("wake_at")),
        result=state.get("result"),
        error=state.get("error"),
    )


def quoted(text: str) -> str:
    """A string in Temporal's list filters."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
