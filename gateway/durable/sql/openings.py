"""The first step of a run, thought out before the run exists, so that it is written in the same commit as its start.

Workflow code has no effects, so nothing is lost where the run then does not start, or starts elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gateway.domain.dispatch import Dispatch
from gateway.durable.execution import Execution
from gateway.durable.payloads import encoded
from gateway.durable.port import DurableError, PayloadTooLarge, Workflow
from gateway.durable.sql.beginning import NewRun, started_event
from gateway.durable.sql.identity import new_run_id
from gateway.durable.stepping import underway
from gateway.storage.columns import from_ms


@dataclass(slots=True)
class Openings:
    """Prepared runs by the id of their dispatch, and their executions by run. Close it once the round is over."""

    runs: dict[str, NewRun] = field(default_factory=dict)
    _executions: dict[str, Execution] = field(default_factory=dict)

    def prepare(self, batch: Sequence[Dispatch], workflows: Mapping[str, Workflow], now_ms: int) -> None:
        """For those that can begin at once, and begin with an activity."""
        for dispatch in batch:
            workflow = workflows.get(dispatch.workflow_type or "")
            if workflow is not None and dispatch.signal is None and dispatch.delay == 0:
                with suppress(DurableError, PayloadTooLarge):  # whoever takes the run finds out
                    self._prepare(dispatch, workflow, now_ms)

    def take(self, run_id: str) -> Execution | None:
        """The execution of a run that has begun."""
        return self._executions.pop(run_id, None)

    def close(self) -> None:
        """Let go of what has not begun."""
        _close(self._executions.values())

    def _prepare(self, dispatch: Dispatch, workflow: Workflow, now_ms: int) -> None:
        assert dispatch.workflow_type is not None
        new = NewRun(
            run_id=new_run_id(now_ms),
            workflow_id=dispatch.workflow_id,
            type=dispatch.workflow_type,
            input_text=encoded(dispatch.input, "the input"),
            at_ms=now_ms,
            wake_at_ms=now_ms,
            start_key=dispatch.start_key,
        )
        execution = Execution(workflow, [started_event(new)])
        execution.settle(from_ms(now_ms))
        if execution.ending is not None or not underway(execution):
            _close([execution])
            return
        self.runs[dispatch.id] = replace(new, first_events=tuple(execution.uncommitted))
        self._executions[new.run_id] = execution
        execution.committed()


def _close(executions: Iterable[Execution]) -> None:
    for execution in executions:
        execution.close()
