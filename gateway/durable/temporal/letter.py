"""What keeps a dead letter inside Temporal: open for as long as nobody decides, with a copy of the run's history."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from gateway.durable.temporal.locally import copied, locally
from gateway.durable.temporal.wire import DEAD_LETTER, NOT_DEAD, REVIVE, STATE, Document


@workflow.defn(name=DEAD_LETTER, sandboxed=False)
class Letter:
    """A run that failed, waiting for somebody to decide."""

    def __init__(self) -> None:
        self._letter: Document = {}
        self._events: list[Document] | None = None
        self._decided = False

    @workflow.run
    async def run(self, letter: dict[str, Any]) -> None:
        """Until it is revived or put away."""
        self._letter = letter
        self._events, _ = await copied(letter["source"])
        await workflow.wait_condition(lambda: self._decided and workflow.all_handlers_finished())

    @workflow.update(name="revive")
    async def revive(self, by: str) -> None:
        """Start the run again where it failed. Fails as NotDead while a newer run of its workflow is going on."""
        await self._may_decide()
        info = workflow.info()
        started = await locally(REVIVE, {**self._letter, "source": [info.workflow_id, info.run_id], "by": by})
        if started["going"] is not None:
            text = f"a newer run of workflow '{self._letter['workflow_id']}' is going on: '{started['going']}'"
            raise ApplicationError(text, type=NOT_DEAD, non_retryable=True)
        self._decide({"how": "revived", "by": by, "execution": started["execution"]})

    @workflow.update(name="discard")
    async def discard(self, by: str) -> None:
        """Put it away."""
        await self._may_decide()
        self._decide({"how": "discarded", "by": by, "at": workflow.now().isoformat()})

    async def _may_decide(self) -> None:
        await workflow.wait_condition(lambda: self._events is not None)
        if self._decided:
            raise ApplicationError(f"run '{self._letter['run_id']}' is not failed any more", type=NOT_DEAD, non_retryable=True)

    def _decide(self, decision: Document) -> None:
        if self._decided:
            return
        self._decided = True
        workflow.upsert_memo({STATE: {**self._letter, **decision}})
