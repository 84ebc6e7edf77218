"""The Temporal cluster as this adapter sees it: connected when first needed, its errors translated, nothing decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from gateway.durable.port import DurableError
from gateway.durable.temporal.converting import CONVERTER
from gateway.durable.temporal.credentials import Credentials
from gateway.durable.temporal.wire import Document
from gateway.errors import ConfigurationWrong

_CALL = timedelta(seconds=10)


class TemporalUnavailable(DurableError):
    """The cluster cannot be reached, or does not answer in time."""


class Server:
    """One namespace of one cluster."""

    def __init__(self, *, address: str, namespace: str, task_queue: str, credentials: Credentials | None = None) -> None:
        self.address, self.namespace, self.task_queue = address, namespace, task_queue
        self._credentials = credentials or Credentials()
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> Client:
        """Connected, with the API key as it is now. Raises TemporalUnavailable; ConfigurationWrong for certificates that cannot be read."""
        key = self._credentials.api_key() if self._credentials.api_key is not None else None
        async with self._connecting:
            if self._client is None:
                self._client = await self._connected(key)
            elif key is not None and key != self._client.api_key:
                self._client.api_key = key
        return self._client

    async def _connected(self, key: str | None) -> Client:
        encryption = self._credentials.encryption()
        try:
            return await Client.connect(self.address, namespace=self.namespace, data_converter=CONVERTER, tls=encryption, api_key=key)
        except (RuntimeError, ValueError, RPCError) as problem:
            reason = str(problem) if key is None else str(problem).replace(key, "***")
            raise TemporalUnavailable(f"Temporal at {self.address} cannot be reached: {reason}") from None

    async def require_answer(self) -> None:
        """Raises TemporalUnavailable where nobody answers."""
        client = await self.client()
        async with _translated():
            await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_CALL)

    async def require_namespace(self) -> None:
        """Raises ConfigurationWrong for a namespace that is not there, TemporalUnavailable where nobody answers."""
        client = await self.client()
        wanted = DescribeNamespaceRequest(namespace=self.namespace)
        try:
            async with _translated():
                await client.workflow_service.describe_namespace(wanted, timeout=_CALL)
        except RPCError as problem:
            if problem.status != RPCStatusCode.NOT_FOUND:
                raise
            raise ConfigurationWrong(
                f"durable.temporal.namespace: there is no namespace '{self.namespace}'",
                advice=f"run: temporal operator namespace create --namespace {self.namespace} --address {self.address}",
            ) from problem

    # --- writing ---------------------------------------------------------------------------

    async def start(self, id: str, type: str, begins: Document, *, request: str, memo: Document | None = None) -> str | None:
        """Temporal's id of the execution that began (now, or before for the same request); None if another one is going."""
        request_ = StartWorkflowExecutionRequest(
            **await self._beginning(id, type, begins, request),
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
        )
        for key, value in (memo or {}).items():
            request_.memo.fields[key].CopyFrom((await CONVERTER.encode([value]))[0])
        client = await self.client()
        try:
            async with _translated():
                return (await client.workflow_service.start_workflow_execution(request_, timeout=_CALL)).run_id
        except RPCError as problem:
            if problem.status == RPCStatusCode.ALREADY_EXISTS:
                return None
            raise

    async def signal(self, id: str, name: str, message: Document, *, request: str) -> bool:
        """False if nothing of that id runs."""
        wanted = SignalWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=WorkflowExecution(workflow_id=id),
            signal_name=name,
            input=await _payloads(message),
            identity=self.task_queue,
            request_id=request,
        )
        client = await self.client()
        try:
            async with _translated():
                await client.workflow_service.signal_workflow_execution(wanted, timeout=_CALL)
        except RPCError as problem:
            if problem.status == RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    async def signal_or_start(self, id: str, type: str, begins: Document, name: str, message: Document, *, request: str) -> bool:
        """In one step; True if it started."""
        wanted = SignalWithStartWorkflowExecutionRequest(
            **await self._beginning(id, type, begins, request), signal_name=name, signal_input=await _payloads(message)
        )
        client = await self.client()
        async with _translated():
            return (await client.workflow_service.signal_with_start_workflow_execution(wanted, timeout=_CALL)).started

    async def delete(self, id: str, execution: str) -> None:
        """Forget a closed execution; the cluster does it in a moment."""
        wanted = DeleteWorkflowExecutionRequest(
            namespace=self.namespace, workflow_execution=WorkflowExecution(workflow_id=id, run_id=execution)
        )
        client = await self.client()
        try:
            async with _translated():
                await client.workflow_service.delete_workflow_execution(wanted, timeout=_CALL)
        except RPCError as problem:
            if problem.status != RPCStatusCode.NOT_FOUND:
                raise

    async def _beginning(self, id: str, type: str, begins: Document, request: str) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "workflow_id": id,
            "workflow_type": WorkflowType(name=type),
            "task_queue": TaskQueue(name=self.task_queue),
            "input": await _payloads(begins),
            "identity": self.task_queue,
            "request_id": request,
            "workflow_id_reuse_policy": WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        }

    # --- reading ---------------------------------------------------------------------------

    async def describe(self, id: str, execution: str | None = None) -> WorkflowExecutionDescription | None:
        """As it stands now; None if there is none."""
        client = await self.client()
        try:
            async with _translated():
                return await client.get_workflow_handle(id, run_id=execution).describe(rpc_timeout=_CALL)
        except RPCError as problem:
            if problem.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:  # the latter: not an id of Temporal's
                return None
            raise

    async def begun(self, id: str, execution: str) -> Document:
        """What an execution began with; nothing if it is not kept."""
        fetched = await self.history(id, execution)
        if fetched is None:
            return {"dispatch": None}
        payloads = fetched.events[0].workflow_execution_started_event_attributes.input.payloads
        [document] = await CONVERTER.decode(list(payloads), [dict])
        begins: Document = document
        return begins

    async def history(self, id: str, execution: str) -> WorkflowHistory | None:
        """All of it; None if there is none."""
        client = await self.client()
        try:
            async with _translated():
                return await client.get_workflow_handle(id, run_id=execution).fetch_history(rpc_timeout=_CALL)
        except RPCError as problem:
            if problem.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
                return None
            raise

    async def listed(self, query: str, *, limit: int) -> list[Any]:
        """Executions by the cluster's index, which lags a moment behind."""
        client = await self.client()
        async with _translated():
            return [found async for found in client.list_workflows(query, limit=limit, page_size=min(limit, 1000))]


async def _payloads(document: Document) -> Payloads:
    return Payloads(payloads=await CONVERTER.encode([document]))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """What is the cluster's or the network's trouble becomes TemporalUnavailable; the rest is for the caller."""
    try:
        yield
    except RPCError as problem:
        if problem.status in {
            RPCStatusCode.UNAVAILABLE,
            RPCStatusCode.DEADLINE_EXCEEDED,
            RPCStatusCode.CANCELLED,
            RPCStatusCode.RESOURCE_EXHAUSTED,
        }:
            raise TemporalUnavailable(f"Temporal does not answer: {problem}") from problem
        if problem.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
            raise TemporalUnavailable(f"Temporal refuses us: {problem}; see api_key and tls of durable.temporal") from problem
        raise
