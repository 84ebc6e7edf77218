"""That a run failed is the fact; why it did is a kindness, which a missing permission may not turn into endless watching."""

from __future__ import annotations

import json

import httpx
import pytest
import respx

from providers.errors import Unreachable
from providers.targets import RunState
from providers.targets.airflow import AirflowTarget
from providers.targets.dagster import DagsterTarget

pytestmark = pytest.mark.anyio
URL = "http://target.test"
DAG_RUN = {"dag_id": "deploy", "dag_run_id": "k", "state": "failed", "note": None}
RUN = {"runId": "r", "status": "FAILURE", "creationTime": 1.5, "parentRunId": None}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def api():
    with respx.mock(base_url=URL) as mocked:
        yield mocked


async def test_airflow_run_has_failed_though_its_tasks_may_not_be_seen(api):
    """403 on them; a fault that may pass is tried again instead."""
    api.get("/api/v2/dags/deploy/dagRuns/k").respond(json=DAG_RUN)
    tasks = api.get("/api/v2/dags/deploy/dagRuns/k/taskInstances").respond(403, json={"detail": "Forbidden"})
    target = AirflowTarget("prod", url=URL)
    seen = await target.status("deploy/k")
    assert (seen.state, seen.message) == (RunState.FAILED, None)
    tasks.respond(503)
    with pytest.raises(Unreachable):
        await target.status("deploy/k")
    await target.close()


async def test_dagster_run_has_failed_though_its_steps_may_not_be_seen(api):
    """An answer that does not show them."""

    def answer(request):
        asked = json.loads(request.content)["query"]
        if "runsOrError" in asked:
            return httpx.Response(200, json={"data": {"runsOrError": {"__typename": "Runs", "results": [RUN]}}})
        return httpx.Response(200, json={"data": {"runOrError": {"__typename": "RunNotFoundError"}}})

    api.post("/graphql").mock(side_effect=answer)
    target = DagsterTarget("prod", url=URL, location="house")
    seen = await target.status("k")
    assert (seen.state, seen.message) == (RunState.FAILED, None)
    await target.close()
