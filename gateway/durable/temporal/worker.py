"""What works for Temporal in this process: one worker that folds, one that runs attempts, one loop that relays.

Two workers, so that a process that stops can let its attempts end, and still fold their outcomes, without beginning
anything new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from gateway.durable.port import Activity, DurableError, Workflow
from gateway.durable.temporal.attempting import Attempting
from gateway.durable.temporal.folding import Claim, Folding
from gateway.durable.temporal.interpreter import Run
from gateway.durable.temporal.letter import Letter
from gateway.durable.temporal.moving import Moving
from gateway.durable.temporal.relay import Relaying
from gateway.durable.temporal.server import Server
from gateway.storage.database import Database

_LAST_FOLDS = 3.0
"""Seconds the outcomes of the last attempts have to get into their histories here; else they do elsewhere."""


class Working:
    """One process's share of the work."""

    def __init__(
        self,
        *,
        server: Server,
        database: Database,
        workflows: Mapping[str, Workflow],
        activities: Mapping[str, Activity],
        claim: Claim,
        relaying: Relaying,
        lease: float,
        concurrency: int,
    ) -> None:
        self._server = server
        self._relaying = relaying
        self._concurrency = concurrency
        self._attempting = Attempting(activities)
        self._folding = Folding(workflows=workflows, claim=claim, lease=lease, folded=self._attempting.folded)
        self._moving = Moving(server, database)
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def attempts(self) -> Mapping[tuple[str, str], int]:
        """See the port."""
        return dict(self._attempting.tally.counts)

    async def start(self) -> None:
        """Begin to take work."""
        if self._tasks:
            return
        client = await self._server.client()
        self._attempting.come_back()
        folds = Worker(
            client,
            task_queue=self._server.task_queue,
            workflows=[Run, Letter],
            activities=[self._folding.step, self._moving.copy, self._moving.revive],
            no_remote_activities=True,
            workflow_runner=UnsandboxedWorkflowRunner(),
            # a process that is gone should not keep its runs from the others
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        )
        attempts = Worker(
            client,
            task_queue=self._server.task_queue,
            activities=[self._attempting.attempt],
            max_concurrent_activities=self._concurrency,
            graceful_shutdown_timeout=timedelta(days=1),  # `Attempting.leave` says when
            max_heartbeat_throttle_interval=timedelta(seconds=1),
            default_heartbeat_throttle_interval=timedelta(seconds=1),
        )
        self._workers = [folds, attempts]
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        self._tasks.append(asyncio.create_task(self._relaying.run()))

    async def stop(self, grace: float) -> None:
        """Take no more; attempts under way have `grace` seconds, their outcomes a moment to be folded."""
        if not self._tasks:
            return
        folds, attempts = self._workers
        relaying = self._tasks[-1]
        relaying.cancel()
        leaving = asyncio.create_task(attempts.shutdown())
        await self._attempting.leave(grace)
        await leaving
        deadline = asyncio.get_running_loop().time() + _LAST_FOLDS
        while self._attempting.unfolded and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await folds.shutdown()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folding.close()
        self._workers, self._tasks = [], []

    def require_alive(self) -> None:
        """Raises DurableError unless everything runs."""
        if not self._tasks:
            raise DurableError("the durable core has not been started, or has been stopped")
        if any(task.done() for task in self._tasks):
            raise DurableError("a worker of the durable core has died; the log says why")
