"""A namespace of a real Temporal sits the exam, with a worker of its users."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from providers.errors import NotFound
from providers.targets import RunState
from providers.targets.temporal import TemporalTarget
from tests.contract.targets.exam import INPUT, TargetExam, until
from tests.servers.temporal import session_temporal


@workflow.defn(name="DeployWorkflow")
class Deploy:
    """Waits to be told how to end; returns what it was given."""

    def __init__(self):
        self.end = None

    @workflow.run
    async def run(self, input: dict) -> dict:
        await workflow.wait_condition(lambda: self.end is not None)
        if self.end == "failed":
            raise ApplicationError("the new version does not answer", non_retryable=True)
        return input

    @workflow.signal
    def finish(self, end: str) -> None:
        self.end = end


@asynccontextmanager
async def working(task_queue):
    """A worker of the target's users, and their client."""
    client = await Client.connect(session_temporal())
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[Deploy],
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(0),
    )
    async with worker:
        yield client


def a_target(task_queue, **settings):
    return TemporalTarget(
        "prod",
        address=session_temporal(),
        namespace="default",
        task_queue=task_queue,
        workflows={"deploy": "DeployWorkflow"},
        timeout=240,
        **settings,
    )


class TestTemporalTarget(TargetExam):
    @pytest.fixture
    def task_queue(self):
        return f"deploys-{uuid.uuid4().hex}"

    @pytest.fixture
    async def people(self, task_queue):
        async with working(task_queue) as client:
            yield client

    @pytest.fixture
    async def target(self, task_queue, people):
        target = a_target(task_queue, web_url="https://temporal.example.test/")
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, people):
        async def to(run_id, state):
            await people.get_workflow_handle(run_id).signal("finish", state.value)

        return to

    async def test_input_arrives_as_the_one_argument(self, target, people, advance, key):
        """As it was submitted."""
        run = await target.start("deploy", key, INPUT)
        await advance(run.id, RunState.SUCCEEDED)
        assert await people.get_workflow_handle(run.id).result() == INPUT

    async def test_run_no_worker_has_looked_at_is_queued(self, task_queue, key):
        """So that a missing worker shows."""
        target = a_target(task_queue)
        run = await target.start("deploy", key, {})
        assert run.state is RunState.QUEUED
        assert "no worker" in await target.probe()
        async with working(task_queue):
            await until(target, run.id, RunState.RUNNING)

    async def test_reason_of_a_failure_and_the_page_are_told(self, target, advance, key):
        """In the target's own words."""
        run = await target.start("deploy", key, {})
        await advance(run.id, RunState.FAILED)
        seen = await until(target, run.id, RunState.FAILED)
        assert seen.words == "FAILED"
        assert seen.message == "the new version does not answer"
        assert seen.url.startswith(f"https://temporal.example.test/namespaces/default/workflows/{key}/")

    async def test_terminated_run_was_cancelled(self, target, people, key):
        """Somebody stopped it by force, on Temporal's own page."""
        run = await target.start("deploy", key, {})
        await people.get_workflow_handle(run.id).terminate()
        seen = await until(target, run.id, RunState.CANCELLED)
        assert seen.words == "TERMINATED"

    async def test_run_deleted_behind_our_back_is_not_found(self, target, people, advance, key):
        """Permanent: nobody watches it for ever."""
        from temporalio.api.common.v1 import WorkflowExecution
        from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

        run = await target.start("deploy", key, {})
        await people.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=WorkflowExecution(workflow_id=run.id))
        )
        with pytest.raises(NotFound):
            await until(target, run.id)  # in no state at all: it is deleted in a moment

    async def test_namespace_that_is_not_there_is_not_found(self, key):
        """And named."""
        target = TemporalTarget(
            "prod", address=session_temporal(), namespace="elsewhere", task_queue="q", workflows={"deploy": "X"}, timeout=60
        )
        for call in (target.start("deploy", key, {}), target.probe()):
            with pytest.raises(NotFound, match="elsewhere"):
                await call
