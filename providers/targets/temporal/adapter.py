"""A namespace of a Temporal cluster as a target: a run is a workflow execution whose id is the run key.

Temporal itself sees to it that a key starts one run: an id that runs is used, an id that has run is refused
(https://docs.temporal.io/workflow-execution/workflowid-runid). It knows no workflow types, though: whatever is started
waits for a worker. So the target's configuration says which workflows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest, GetSystemInfoRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHistoryEventFilterType
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from providers.errors import NotFound
from providers.targets.naming import name_there
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities
from providers.targets.temporal.cluster import Cluster, Tls

_STATES = {
    WorkflowExecutionStatus.RUNNING: RunState.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: RunState.RUNNING,
    WorkflowExecutionStatus.COMPLETED: RunState.SUCCEEDED,
    WorkflowExecutionStatus.FAILED: RunState.FAILED,
    WorkflowExecutionStatus.TIMED_OUT: RunState.FAILED,
    WorkflowExecutionStatus.CANCELED: RunState.CANCELLED,
    WorkflowExecutionStatus.TERMINATED: RunState.CANCELLED,
}
_UNTOUCHED = 2
"""Events of a history that no worker has looked at: the start, and the task that waits for one."""


class TemporalTarget:
    """workflows: the gateway's names → workflow types. task_queue: whose workers run them. web_url: Temporal's pages.

    timeout: seconds for one call. The workflow gets the input as its one argument, a JSON object.
    """

    def __init__(
        self,
        name: str,
        *,
        address: str,
        namespace: str,
        task_queue: str,
        workflows: Mapping[str, str],
        tls: Callable[[], Tls] | None = None,
        api_key: Callable[[], str] | None = None,
        web_url: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._name = name
        self._task_queue = task_queue
        self._workflows = dict(workflows)
        self._web_url = web_url
        self._cluster = Cluster(target=name, address=address, namespace=namespace, tls=tls, api_key=api_key, timeout=timeout)

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "temporal"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=True)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        type = name_there(self._name, workflow, self._workflows)
        async with self._cluster.client(f"start {type}") as client:
            with suppress(WorkflowAlreadyStartedError):  # it has run, and is the answer
                await client.start_workflow(
                    type,
                    dict(input),
                    id=run_key,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary=f"{workflow}, admitted by decision {run_key}",
                    rpc_timeout=self._cluster.deadline,
                )
        return await self.status(run_key)

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        try:
            return await self.status(run_key)
        except NotFound:
            return None

    async def status(self, run_id: str) -> Run:
        async with self._cluster.client(f"describe {run_id}") as client:
            found = await client.get_workflow_handle(run_id).describe(rpc_timeout=self._cluster.deadline)
            return await self._seen(client, found)

    async def cancel(self, run_id: str) -> Run:
        run = await self.status(run_id)
        if not run.state.ended:
            with suppress(NotFound):  # it has ended meanwhile, or it is gone: the look says which
                async with self._cluster.client(f"cancel {run_id}") as client:
                    await client.get_workflow_handle(run_id).cancel(rpc_timeout=self._cluster.deadline)
        return await self.status(run_id)

    async def probe(self) -> str:
        namespace, queue = self._cluster.namespace, self._task_queue
        async with self._cluster.client("probe") as client:
            service, deadline = client.workflow_service, self._cluster.deadline
            about = await service.get_system_info(GetSystemInfoRequest(), timeout=deadline)
            await service.describe_namespace(DescribeNamespaceRequest(namespace=namespace), timeout=deadline)
            asked = DescribeTaskQueueRequest(
                namespace=namespace, task_queue=TaskQueue(name=queue), task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
            )
            pollers = len((await service.describe_task_queue(asked, timeout=deadline)).pollers)
        workers = f"{pollers} workers" if pollers else "no worker"
        return f"Temporal {about.server_version}, namespace '{namespace}', {workers} on task queue '{queue}'"

    async def close(self) -> None:
        """The SDK closes its connections when they are no longer used."""

    async def _seen(self, client: Client, found: WorkflowExecutionDescription) -> Run:
        status = found.status
        state = RunState.UNKNOWN if status is None else _STATES.get(status, RunState.UNKNOWN)
        if state is RunState.RUNNING and found.history_length <= _UNTOUCHED:
            state = RunState.QUEUED
        message = await self._reason(client, found) if state is RunState.FAILED else None
        return Run(
            id=found.id,
            state=state,
            words=status.name if status is not None else "unknown",
            message=message,
            url=self._page(found),
        )

    async def _reason(self, client: Client, found: WorkflowExecutionDescription) -> str | None:
        """Why it failed: the innermost cause, from the last event of its history. None too where we may not look there."""
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        last = WorkflowHistoryEventFilterType.CLOSE_EVENT
        try:
            history = await handle.fetch_history(event_filter_type=last, rpc_timeout=self._cluster.deadline)
        except RPCError as problem:
            if problem.status is RPCStatusCode.PERMISSION_DENIED:
                return None  # that it failed stands
            raise
        if not history.events:
            return None
        failure = history.events[-1].workflow_execution_failed_event_attributes.failure
        while failure.HasField("cause"):
            failure = failure.cause
        return failure.message[:1000] or None

    def _page(self, found: WorkflowExecutionDescription) -> str | None:
        if self._web_url is None:
            return None
        parts = (self._cluster.namespace, found.id, found.run_id or "")
        namespace, id, run = (quote(part, safe="") for part in parts)
        return f"{self._web_url.rstrip('/')}/namespaces/{namespace}/workflows/{id}/{run}/history"
