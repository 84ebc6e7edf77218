"""A Prefect server as a target: a workflow is a deployment, `flow/deployment`, and a run a flow run.

Prefect keeps one flow run for an idempotency key of a flow; two starts under one key at the very same moment can make its
database refuse one with a 503, so this process asks for one at a time. API: https://docs.prefect.io/v3/api-ref/rest-api
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from providers.documents import Document, UnexpectedShape, document, documents
from providers.errors import Conflict, NotFound, PermanentError, Unreachable
from providers.targets.http import Credentials, TargetClient, path_of
from providers.targets.naming import name_there
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities

_STATES = {
    "SCHEDULED": RunState.QUEUED,
    "PENDING": RunState.QUEUED,
    "RUNNING": RunState.RUNNING,
    "PAUSED": RunState.RUNNING,
    "CANCELLING": RunState.RUNNING,
    "COMPLETED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CRASHED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
}


class PrefectTarget:
    """url: of the API, as in PREFECT_API_URL. web_url: Prefect's pages, where they are not beside the API.

    workflows: the gateway's names → `flow/deployment`; without any, names are passed on.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str,
        credentials: Credentials | None = None,
        workflows: Mapping[str, str] | None = None,
        web_url: str | None = None,
        timeout: float = 10.0,
        ca: Path | None = None,
    ) -> None:
        self._name = name
        self._workflows = dict(workflows or {})
        self._web_url = (web_url or url.rstrip("/").removesuffix("/api")).rstrip("/")
        self._client = TargetClient(target=name, url=url, timeout=timeout, credentials=credentials, ca=ca)
        self._starting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "prefect"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=True)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        there = name_there(self._name, workflow, self._workflows)
        flow, slash, deployment = there.partition("/")
        if not slash:
            raise NotFound(f"target '{self._name}' has no deployment '{there}'", advice="a deployment is named flow/deployment")
        try:
            found = await self._client.get(path_of("deployments", "name", flow, deployment))
        except NotFound as problem:
            raise NotFound(f"target '{self._name}' has no deployment '{there}'", advice="deploy it, or correct its name") from problem
        body = {"parameters": dict(input), "idempotency_key": run_key, "tags": ["admittance"]}
        async with self._starting:
            try:
                answer = await self._client.call("POST", path_of("deployments", _id(found), "create_flow_run"), body=body)
            except Conflict as problem:  # what Prefect answers to parameters that do not fit the flow
                raise PermanentError(str(problem)) from problem
        return self._seen(answer.document())

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        answer = await self._client.call("POST", "/flow_runs/filter", body={"flow_runs": {"idempotency_key": {"any_": [run_key]}}})
        try:
            runs = documents(answer.value, answer.where)
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        return self._seen(runs[0]) if runs else None

    async def status(self, run_id: str) -> Run:
        return self._seen(await self._client.get(path_of("flow_runs", run_id)))

    async def cancel(self, run_id: str) -> Run:
        """Prefect decides what comes of it: a run no worker has begun is cancelled at once, one that has ended is left alone."""
        run = await self.status(run_id)
        if run.state.ended:
            return run
        wanted = {"state": {"type": "CANCELLING", "name": "Cancelling", "message": "cancelled by the admission gateway"}}
        await self._client.call("POST", path_of("flow_runs", run_id, "set_state"), body=wanted)
        return await self.status(run_id)

    async def probe(self) -> str:
        answer = await self._client.call("GET", "/admin/version")
        if not isinstance(answer.value, str):
            raise Unreachable(f"{answer.where}: expected a version, found something else")
        return f"Prefect {answer.value}"

    async def close(self) -> None:
        await self._client.close()

    def _seen(self, run: Document) -> Run:
        try:
            state = document(run.fields.get("state"), f"{run.where} state")
            id, type = run.text("id"), state.text("type")
            return Run(
                id=id,
                state=_STATES.get(type, RunState.UNKNOWN),
                words=state.text_or_none("name") or type,
                message=(state.text_or_none("message") or "")[:1000] or None,
                url=f"{self._web_url}/runs/flow-run/{id}",
            )
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem


def _id(found: Document) -> str:
    try:
        return found.text("id")
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
