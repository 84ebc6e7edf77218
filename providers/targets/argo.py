"""A namespace of Argo Workflows as a target: a workflow is a WorkflowTemplate, and a run a Workflow made of it.

The run's name is made of the run key, and Kubernetes refuses a second object of a name. Parameters are texts: what is none
in the input goes as JSON. API: https://argo-workflows.readthedocs.io/en/latest/swagger/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from providers.documents import Document, UnexpectedShape
from providers.errors import Conflict, NotFound, PermanentError, Unreachable
from providers.targets.http import Credentials, TargetClient, path_of
from providers.targets.naming import dns_label, name_there
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities

_STATES = {
    "": RunState.QUEUED,
    "Pending": RunState.QUEUED,
    "Running": RunState.RUNNING,
    "Succeeded": RunState.SUCCEEDED,
    "Failed": RunState.FAILED,
    "Error": RunState.FAILED,
}
_FIELDS = "metadata.name,metadata.namespace,spec.shutdown,status.phase,status.message"
"""All we read of a Workflow, whose nodes alone may have megabytes."""


class ArgoTarget:
    """url: of the Argo server. workflows: the gateway's names → WorkflowTemplates; without any, names are passed on."""

    def __init__(
        self,
        name: str,
        *,
        url: str,
        namespace: str,
        credentials: Credentials | None = None,
        workflows: Mapping[str, str] | None = None,
        web_url: str | None = None,
        timeout: float = 10.0,
        ca: Path | None = None,
    ) -> None:
        self._name = name
        self._namespace = namespace
        self._workflows = dict(workflows or {})
        self._web_url = (web_url or url).rstrip("/")
        self._client = TargetClient(target=name, url=url, timeout=timeout, credentials=credentials, ca=ca)

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "argo"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=True)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        template = name_there(self._name, workflow, self._workflows)
        options = {
            "name": dns_label(run_key),
            "parameters": [_parameter(name, value) for name, value in input.items()],
            "labels": "admittance/admitted=true",
            "annotations": f"admittance/decision={run_key}",
        }
        body = {"namespace": self._namespace, "resourceKind": "WorkflowTemplate", "resourceName": template, "submitOptions": options}
        try:
            answer = await self._client.call("POST", f"/api/v1{path_of('workflows', self._namespace, 'submit')}", body=body)
        except Conflict:
            return await self.status(dns_label(run_key))
        except PermanentError as problem:
            raise await self._reason(template, problem) from problem
        return self._seen(answer.document())

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        try:
            return await self.status(dns_label(run_key))
        except NotFound:
            return None

    async def status(self, run_id: str) -> Run:
        return self._seen(await self._client.get(self._path(run_id), params={"fields": _FIELDS}))

    async def cancel(self, run_id: str) -> Run:
        """Stops it, exit handlers run. A Workflow that has ended cannot be stopped: Argo refuses, and it is as it ended."""
        run = await self.status(run_id)
        if run.state.ended:
            return run
        body = {"namespace": self._namespace, "name": run_id, "message": "cancelled by the admission gateway"}
        answer = await self._client.call("PUT", f"{self._path(run_id)}/stop", body=body)
        return self._seen(answer.document())

    async def probe(self) -> str:
        version = await self._client.get("/api/v1/version")
        try:
            named = version.text("version")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        await self._client.get(f"/api/v1{path_of('workflow-templates', self._namespace)}", params={"listOptions.limit": "1"})
        return f"Argo Workflows {named}, namespace '{self._namespace}'"

    async def close(self) -> None:
        await self._client.close()

    async def _reason(self, template: str, problem: PermanentError) -> PermanentError:
        """A refused start: a template that is not there comes as one more input that does not fit."""
        try:
            await self._client.get(f"/api/v1{path_of('workflow-templates', self._namespace, template)}")
        except NotFound:
            return NotFound(f"target '{self._name}' has no WorkflowTemplate '{template}' in namespace '{self._namespace}'")
        except PermanentError:
            pass  # we may not look
        return problem

    def _path(self, run_id: str) -> str:
        return f"/api/v1{path_of('workflows', self._namespace, run_id)}"

    def _seen(self, workflow: Document) -> Run:
        try:
            name = workflow.document("metadata").text("name")
            status, spec = workflow.document_or_none("status"), workflow.document_or_none("spec")
            phase = (status.text_or_none("phase") if status else None) or ""
            message = status.text_or_none("message") if status else None
            stopped = spec is not None and spec.text_or_none("shutdown") is not None
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        state = _STATES.get(phase, RunState.UNKNOWN)
        if state is RunState.FAILED and stopped:
            state = RunState.CANCELLED  # Argo has no phase for it
        page = f"{self._web_url}{path_of('workflows', self._namespace, name)}"
        return Run(id=name, state=state, words=phase or "Unknown", message=message and message[:1000], url=page)


def _parameter(name: str, value: Any) -> str:
    """`name=value`; Argo cuts at the first `=`."""
    if "=" in name:
        raise PermanentError(f"the input's '{name}' cannot be a parameter of Argo's: its name has a '=' in it")
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as problem:
        raise PermanentError(f"the input's '{name}' is not JSON: {problem}") from problem
    return f"{name}={text}"
