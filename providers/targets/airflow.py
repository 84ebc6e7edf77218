"""An Airflow (3, REST API v2) as a target: a workflow is a DAG, and a run a DAG run whose id is the run key.

Airflow refuses a second run of an id with a 409. It knows no state for cancelled runs: those are set to failed, with a
note that says so, by which they are known again. API: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from providers.documents import Document, UnexpectedShape
from providers.errors import Conflict, NotFound, PermanentError, ProviderError, Unreachable
from providers.targets.http import Credentials, Login, Secret, TargetClient, path_of
from providers.targets.naming import name_there
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities

_STATES = {
    "queued": RunState.QUEUED,
    "running": RunState.RUNNING,
    "restarting": RunState.RUNNING,
    "success": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
}
_CANCELLED = "cancelled by the admission gateway"
_API = "/api/v2"


def logging_in(target: str, *, url: str, user: str, password: Secret, timeout: float = 10.0, ca: Path | None = None) -> Login:
    """Credentials that take a JWT from Airflow for user and password, and a new one when it has expired."""

    async def log_in() -> str:
        client = TargetClient(target=target, url=url, timeout=timeout, ca=ca)
        try:
            answer = await client.call("POST", "/auth/token", body={"username": user, "password": password()})
            return answer.document().text("access_token")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        finally:
            await client.close()

    return Login(log_in, password)


class AirflowTarget:
    """url: where Airflow's pages and its API are. workflows: the gateway's names → DAG ids; without any, names are passed on."""

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
        self._web_url = (web_url or url).rstrip("/")
        self._client = TargetClient(target=name, url=url, timeout=timeout, credentials=credentials, ca=ca)

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "airflow"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=True)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        dag = name_there(self._name, workflow, self._workflows)
        body = {"dag_run_id": run_key, "logical_date": None, "conf": dict(input), "note": f"admitted by decision {run_key}"}
        try:
            answer = await self._client.call("POST", f"{_API}{path_of('dags', dag, 'dagRuns')}", body=body)
        except NotFound as problem:
            raise NotFound(f"target '{self._name}' has no DAG '{dag}': {problem}") from problem
        except Conflict as problem:
            return await self._first(dag, run_key, problem)
        return await self._seen(answer.document())

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        dag = name_there(self._name, workflow, self._workflows)
        try:
            return await self._look(dag, run_key)
        except NotFound:
            return None

    async def status(self, run_id: str) -> Run:
        return await self._look(*_parts(run_id))

    async def cancel(self, run_id: str) -> Run:
        run = await self.status(run_id)
        if run.state.ended:
            return run
        wanted = {"state": "failed", "note": _CANCELLED}
        answer = await self._client.call("PATCH", _path(*_parts(run_id)), body=wanted)
        return await self._seen(answer.document())

    async def probe(self) -> str:
        """Raises Unreachable where the API answers and the scheduler does not work: nothing would ever run."""
        version = await self._client.get(f"{_API}/version")
        await self._client.get(f"{_API}/dags", params={"limit": "1"})
        health = await self._client.get(f"{_API}/monitor/health")
        try:
            scheduler = health.document("scheduler").text_or_none("status")
            if scheduler != "healthy":
                raise Unreachable(f"{self._name}: Airflow's scheduler is not healthy", advice="start it: without it nothing runs")
            return f"Airflow {version.text('version')}, scheduler healthy"
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    async def close(self) -> None:
        await self._client.close()

    async def _first(self, dag: str, run_key: RunKey, problem: ProviderError) -> Run:
        """The run that has the key already."""
        try:
            return await self._look(dag, run_key)
        except NotFound:
            raise problem from None

    async def _look(self, dag: str, run: str) -> Run:
        return await self._seen(await self._client.get(_path(dag, run)))

    async def _seen(self, run: Document) -> Run:
        try:
            dag, id, words = run.text("dag_id"), run.text("dag_run_id"), run.text("state")
            note = run.text_or_none("note")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        state = _STATES.get(words, RunState.UNKNOWN)
        message = None
        if state is RunState.FAILED:
            if note == _CANCELLED:
                state, message = RunState.CANCELLED, note
            else:
                message = await self._failed_tasks(dag, id)
        page = f"{self._web_url}{path_of('dags', dag, 'runs', id)}"
        return Run(id=f"{dag}/{id}", state=state, words=words, message=message, url=page)

    async def _failed_tasks(self, dag: str, run: str) -> str | None:
        """Which they were: Airflow keeps no reason beside a run. None too where we may not look: that it failed stands."""
        try:
            found = await self._client.get(f"{_path(dag, run)}/taskInstances", params={"state": "failed", "limit": "10"})
        except PermanentError:
            return None
        try:
            tasks = [task.text("task_id") for task in found.documents("task_instances")]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        return f"failed: {', '.join(tasks)}"[:1000] if tasks else None


def _path(dag: str, run: str) -> str:
    return f"{_API}{path_of('dags', dag, 'dagRuns', run)}"


def _parts(run_id: str) -> tuple[str, str]:
    dag, slash, run = run_id.rpartition("/")
    if not slash:
        raise NotFound(f"no DAG run is named '{run_id}'")
    return dag, run
