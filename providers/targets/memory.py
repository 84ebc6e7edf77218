"""A target in memory, for the demo and for tests: runs that go on by themselves or as a test says.

It keeps the port's promises, idempotence by run key first of all, and its weather misbehaves on request as real ones do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from providers.errors import NotFound
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities
from providers.targets.weather import Weather

_NEXT = {RunState.QUEUED: RunState.RUNNING, RunState.RUNNING: RunState.SUCCEEDED}


@dataclass(slots=True, kw_only=True)
class StartedRun:
    """What the target knows of a run. `starts`: how often somebody tried to start it."""

    id: str
    key: RunKey
    workflow: str
    input: Mapping[str, Any]
    state: RunState = RunState.QUEUED
    starts: int = 1


class MemoryTarget:
    """Knows the workflows it is told of. `automatic`: each `status` takes a run one step on: queued, running, succeeded."""

    def __init__(self, name: str, workflows: Iterable[str], *, automatic: bool = False) -> None:
        self._name = name
        self._workflows = frozenset(workflows)
        self._automatic = automatic
        self._runs: dict[str, StartedRun] = {}
        self.weather = Weather()

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "memory"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=True)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        await self.weather.before("start")
        if workflow not in self._workflows:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise NotFound(f"target '{self._name}' has no workflow '{workflow}'", advice=f"it has: {known}")
        id = self._id(run_key)
        if id in self._runs:
            self._runs[id].starts += 1
        else:
            self._runs[id] = StartedRun(id=id, key=run_key, workflow=workflow, input=deepcopy(dict(input)))
        self.weather.after("start")
        return self._seen(self._runs[id])

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        await self.weather.before("find")
        run = self._runs.get(self._id(run_key))
        return None if run is None else self._seen(run)

    async def status(self, run_id: str) -> Run:
        await self.weather.before("status")
        run = self._run(run_id)
        if self._automatic:
            run.state = _NEXT.get(run.state, run.state)
        self.weather.after("status")
        return self._seen(run)

    async def cancel(self, run_id: str) -> Run:
        await self.weather.before("cancel")
        run = self._run(run_id)
        if not run.state.ended:
            run.state = RunState.CANCELLED
        self.weather.after("cancel")
        return self._seen(run)

    async def probe(self) -> str:
        await self.weather.before("probe")
        return f"in memory, forgotten when the gateway stops; workflows: {', '.join(sorted(self._workflows)) or 'none'}"

    async def close(self) -> None:
        """Nothing is held open."""

    # --- what a test or the demo does -------------------------------------------------------

    @property
    def runs(self) -> tuple[StartedRun, ...]:
        """Every run, in the order of their starts."""
        return tuple(self._runs.values())

    def advance(self, run_id: str, state: RunState) -> None:
        """The run is in this state now. Raises NotFound, and ValueError for one that has ended."""
        run = self._run(run_id)
        if run.state.ended:
            raise ValueError(f"run '{run_id}' has {run.state} already")
        run.state = state

    def forget(self, run_id: str) -> None:
        """Somebody deletes the run behind our back."""
        del self._runs[run_id]

    def _id(self, run_key: RunKey) -> str:
        return f"{self._name}/{run_key}"

    def _run(self, run_id: str) -> StartedRun:
        try:
            return self._runs[run_id]
        except KeyError:
            raise NotFound(f"target '{self._name}' has no run '{run_id}'") from None

    def _seen(self, run: StartedRun) -> Run:
        return Run(id=run.id, state=run.state, words=run.state.value, url=None)
