"""What a workflow is handed: the port's `WorkflowContext`, put as commands to whoever drives the coroutine."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any, NoReturn, Protocol
from uuid import UUID

from gateway.durable.commands import AwaitSignal, Branch, ContinuedAsNew, RunActivity, StartTimer, ask
from gateway.durable.payloads import decoded, encoded
from gateway.durable.port import PROMPT, RetrySchedule, Signal
from policies.model import Json


class RunningHistory(Protocol):
    """What the context reads from the execution that drives the workflow."""

    workflow_id: str
    run_id: str
    now: datetime

    def next_uuid(self) -> UUID: ...

    def version(self, marker: str, newest: int) -> int: ...


class Context:
    """One run's context."""

    def __init__(self, run: RunningHistory) -> None:
        self._run = run

    @property
    def workflow_id(self) -> str:
        return self._run.workflow_id

    @property
    def run_id(self) -> str:
        return self._run.run_id

    async def activity(
        self, name: str, *args: Json, schedule: RetrySchedule = PROMPT, timeout: float = 60.0, heartbeat: float | None = None
    ) -> Json:
        text = encoded(list(args), f"arguments of activity '{name}'")
        arguments: Any = decoded(text)
        result: Json = await ask(
            RunActivity(name=name, arguments=tuple(arguments), schedule=schedule, timeout=float(timeout), heartbeat=heartbeat)
        )
        return result

    async def sleep(self, seconds: float) -> None:
        await ask(StartTimer(seconds=max(0.0, float(seconds))))

    async def wait_signal(self, *names: str, timeout: float | None = None) -> Signal | None:
        limit = None if timeout is None else max(0.0, float(timeout))
        signal: Signal | None = await ask(AwaitSignal(names=names, timeout=limit))
        return signal

    async def gather(self, *branches: Coroutine[Any, Any, Json]) -> list[Json]:
        results: list[Json] = await ask(Branch(branches=branches))
        return results

    def now(self) -> datetime:
        return self._run.now

    def uuid(self) -> UUID:
        return self._run.next_uuid()

    def version(self, marker: str, newest: int) -> int:
        return self._run.version(marker, newest)

    def continue_as_new(self, input: Json) -> NoReturn:
        encoded(input, "the input of the run that continues this one")
        raise ContinuedAsNew(input)
