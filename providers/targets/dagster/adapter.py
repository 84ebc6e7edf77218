"""A Dagster code location as a target: a workflow is a job, and a run the eldest one tagged with the run key.

Dagster starts a run as often as it is asked to. So every start looks for a run with the tag first, one start at a time in
this process; and every look afterwards sees whether another process did the same at the same moment: of two the younger is
terminated. That is why a run's id is the key, not Dagster's: whoever lost that race sees the run that won. Runs somebody
re-executes have their parent's tags; they are not ours. API: https://docs.dagster.io/api/graphql
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.documents import Document, UnexpectedShape
from providers.errors import NotFound, PermanentError, Unreachable
from providers.targets.dagster import graphql
from providers.targets.http import Credentials, TargetClient, path_of
from providers.targets.http.faults import said
from providers.targets.naming import name_there
from providers.targets.port import Run, RunKey, RunState, TargetCapabilities

_STATES = {
    "QUEUED": RunState.QUEUED,
    "NOT_STARTED": RunState.QUEUED,
    "MANAGED": RunState.QUEUED,
    "STARTING": RunState.QUEUED,
    "STARTED": RunState.RUNNING,
    "SUSPENDED": RunState.RUNNING,
    "CANCELING": RunState.RUNNING,
    "SUCCESS": RunState.SUCCEEDED,
    "FAILURE": RunState.FAILED,
    "CANCELED": RunState.CANCELLED,
}
TAG = "admittance/run_key"
_AT_MOST = 500
"""Runs with one key: ours, and what people re-executed of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, and where in its run config the input goes: `("ops", "deploy", "config")`; nowhere = it is the run config."""

    name: str
    input_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A run as Dagster lists it. created: seconds, by Dagster's clock."""

    id: str
    status: str
    created: float
    reexecuted: bool

    @property
    def state(self) -> RunState:
        return _STATES.get(self.status, RunState.UNKNOWN)


class DagsterTarget:
    """url: of the webserver. location, repository: where the jobs are.

    jobs: the gateway's names → jobs; without any, names are passed on.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str,
        location: str,
        repository: str = "__repository__",
        credentials: Credentials | None = None,
        jobs: Mapping[str, Job] | None = None,
        web_url: str | None = None,
        timeout: float = 10.0,
        ca: Path | None = None,
    ) -> None:
        self._name = name
        self._location, self._repository = location, repository
        self._jobs = dict(jobs or {})
        self._web_url = (web_url or url).rstrip("/")
        self._client = TargetClient(target=name, url=url, timeout=timeout, credentials=credentials, ca=ca)
        self._starting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def orchestrator(self) -> str:
        return "dagster"

    @property
    def capabilities(self) -> TargetCapabilities:
        return TargetCapabilities(cancels=True, idempotent=False)

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        there = name_there(self._name, workflow, {name: job.name for name, job in self._jobs.items()})
        job = self._jobs.get(workflow, Job(name=there))
        async with self._starting:
            if not await self._runs(run_key):
                await self._launch(job, run_key, input)
            run = await self._only_one(run_key)
        if run is None:
            raise Unreachable(f"{self._name}: the run with the tag {TAG}={run_key} is not listed yet")
        return await self._seen(run_key, run)

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        run = await self._only_one(run_key)
        return None if run is None else await self._seen(run_key, run)

    async def status(self, run_id: str) -> Run:
        return await self._seen(run_id, await self._eldest(run_id))

    async def cancel(self, run_id: str) -> Run:
        run = await self._eldest(run_id)
        if not run.state.ended:
            await self._terminate(run_id, run)
        return await self.status(run_id)

    async def probe(self) -> str:
        """Raises Unreachable where the webserver answers and the daemon that starts queued runs does not work."""
        await self._require_location()
        data = await graphql.ask(self._client, graphql.PROBE)
        try:
            daemons = data.document("instance").document("daemonHealth").documents("allDaemonStatuses")
            stopped = [daemon for daemon in daemons if daemon.text("daemonType") == "QUEUED_RUN_COORDINATOR" and not daemon.flag("healthy")]
            version = data.text("version")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        if stopped:
            raise Unreachable(f"{self._name}: Dagster's daemon does not run", advice="start dagster-daemon: queued runs wait for it")
        return f"Dagster {version}, code location '{self._location}'"

    async def close(self) -> None:
        await self._client.close()

    # --- starting one --------------------------------------------------------------------------

    async def _launch(self, job: Job, run_key: RunKey, input: Mapping[str, Any]) -> None:
        selector = {"repositoryLocationName": self._location, "repositoryName": self._repository, "jobName": job.name}
        config: Mapping[str, Any] = dict(input)
        for part in reversed(job.input_at):
            config = {part: config}
        tags = [{"key": TAG, "value": run_key}]
        wanted = {"selector": selector, "runConfigData": config, "executionMetadata": {"tags": tags}}
        data = await graphql.ask(self._client, graphql.LAUNCH, wanted=wanted)
        try:
            graphql.expected(data, "launchRun", "LaunchRunSuccess")
        except NotFound:
            await self._require_location()  # while it is loaded anew, or does not load, its jobs are not found either
            raise

    async def _only_one(self, run_key: str) -> _Found | None:
        """The eldest run of the key, after the others are terminated. Raises Unreachable if one of them cannot be, for now.

        At every look, not only after a start: whoever began the younger may have died before it looked.
        """
        runs = await self._runs(run_key)
        for younger in runs[1:]:
            if not younger.state.ended:
                await self._terminate(run_key, younger)
        return runs[0] if runs else None

    async def _terminate(self, run_key: str, run: _Found) -> None:
        """Raises Unreachable where Dagster cannot terminate it though it goes on: a moment later it may."""
        data = await graphql.ask(self._client, graphql.TERMINATE, run=run.id)
        answer = graphql.expected(data, "terminateRun", "TerminateRunSuccess", "TerminateRunFailure", "RunNotFoundError")
        if answer.fields["__typename"] == "TerminateRunFailure":
            going = {found.id for found in await self._runs(run_key) if not found.state.ended}
            if run.id in going:
                raise Unreachable(f"{self._name}: run {run.id} cannot be terminated: {answer.fields.get('message')}")

    async def _require_location(self) -> None:
        """Raises NotFound where there is no such location or repository, Unreachable while it is not loaded."""
        data = await graphql.ask(self._client, graphql.LOCATIONS)
        try:
            entries = graphql.expected(data, "workspaceOrError", "Workspace").documents("locationEntries")
            loaded = {entry.text("name"): entry.document_or_none("locationOrLoadError") for entry in entries}
            if self._location not in loaded:
                raise NotFound(f"{self._name}: Dagster has no code location '{self._location}'; it has {', '.join(sorted(loaded))}")
            location = loaded[self._location]
            if location is None or location.text("__typename") != "RepositoryLocation":
                why = said([cause.fields for cause in location.documents("causes")] or location.fields) if location else "not yet"
                raise Unreachable(f"{self._name}: code location '{self._location}' is not loaded: {why}")
            if self._repository not in (names := [one.text("name") for one in location.documents("repositories")]):
                raise NotFound(f"{self._name}: '{self._location}' has no repository '{self._repository}'; it has {', '.join(names)}")
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    # --- looking -------------------------------------------------------------------------------

    async def _eldest(self, run_key: str) -> _Found:
        run = await self._only_one(run_key)
        if run is None:
            raise NotFound(f"target '{self._name}' has no run with the tag {TAG}={run_key}")
        return run

    async def _runs(self, run_key: str) -> Sequence[_Found]:
        """What was started under the key, the eldest first."""
        data = await graphql.ask(self._client, graphql.RUNS, tags=[{"key": TAG, "value": run_key}], limit=_AT_MOST)
        try:
            found = [_found(run) for run in graphql.expected(data, "runsOrError", "Runs").documents("results")]
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        return sorted((run for run in found if not run.reexecuted), key=lambda run: (run.created, run.id))

    async def _seen(self, run_key: str, run: _Found) -> Run:
        message = await self._failed_steps(run) if run.state is RunState.FAILED else None
        return Run(id=run_key, state=run.state, words=run.status, message=message, url=f"{self._web_url}{path_of('runs', run.id)}")

    async def _failed_steps(self, run: _Found) -> str | None:
        """Which they were; None too where we may not look: that it failed stands."""
        try:
            data = await graphql.ask(self._client, graphql.FAILURES, run=run.id)
            steps = graphql.expected(data, "runOrError", "Run").documents("stepStats")
            failed = [step.text("stepKey") for step in steps if step.fields.get("status") == "FAILURE"]
        except PermanentError:
            return None
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem
        return f"failed: {', '.join(failed)}"[:1000] if failed else None


def _found(run: Document) -> _Found:
    created = run.fields.get("creationTime")
    if not isinstance(created, int | float) or isinstance(created, bool):
        raise UnexpectedShape(f"{run.where}: expected a number in 'creationTime'")
    reexecuted = run.text_or_none("parentRunId") is not None
    return _Found(id=run.text("runId"), status=run.text("status"), created=created, reexecuted=reexecuted)
