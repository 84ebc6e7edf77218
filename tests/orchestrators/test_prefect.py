"""A real Prefect server sits the exam, and runs a flow of its users to the end."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from providers.errors import AccessRefused, NotFound, PermanentError
from providers.targets import RunState
from providers.targets.http import Basic
from providers.targets.prefect import PrefectTarget
from tests.contract.targets.exam import TargetExam, until
from tests.contract.targets.faults import FaultExam
from tests.orchestrators.environments import PREFECT
from tests.orchestrators.processes import answers, running
from tests.servers.ports import free_port
from tests.servers.postgresql import fresh_postgresql

USER, PASSWORD = "admin", "password-of-the-gateway"
TYPES = {RunState.SUCCEEDED: "COMPLETED", RunState.FAILED: "FAILED"}


@pytest.fixture(scope="module")
def server():
    """A Prefect on PostgreSQL, and a process of its users that serves a flow: url of the API, and their client.

    Not on SQLite: there it answers much of what is asked at the same time with 503.
    """
    with ExitStack() as stack:
        database = stack.enter_context(fresh_postgresql()).replace("postgresql://", "postgresql+asyncpg://")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="admit-prefect-")))
        port = free_port()
        url = f"http://127.0.0.1:{port}/api"
        environment = {
            "PREFECT_HOME": str(folder),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_API_URL": url,
            "PREFECT_API_AUTH_STRING": f"{USER}:{PASSWORD}",
            "PREFECT_SERVER_API_AUTH_STRING": f"{USER}:{PASSWORD}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "DO_NOT_TRACK": "1",
        }
        command = [PREFECT.command("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(
            running(command, folder=folder, environment=environment, ready=lambda: answers(f"{url}/health"), name="prefect")
        )
        people = stack.enter_context(httpx.Client(base_url=url, auth=(USER, PASSWORD), timeout=60, trust_env=False))
        flow = people.post("/flows/", json={"name": "house"}).json()["id"]
        made = people.post("/deployments/", json={"name": "deploy", "flow_id": flow, "parameter_openapi_schema": SCHEMA})
        assert made.status_code == 201, made.text
        serve = [PREFECT.command("python"), str(Path(__file__).with_name("prefect_flows.py")), "served"]

        def served():
            return people.get("/deployments/name/roll-out/served").status_code == 200

        stack.enter_context(running(serve, folder=folder, environment=environment, ready=served, name="flow"))
        yield url, people


SCHEMA = {"type": "object", "properties": {"version": {"type": "string"}}}


def a_target(url, **settings):
    return PrefectTarget(
        "prod",
        url=url,
        credentials=Basic(USER, lambda: PASSWORD),
        workflows={"deploy": "house/deploy", "roll-out": "roll-out/served", "no-such-workflow": "house/no-such-workflow"},
        **{"timeout": 60, **settings},
    )


class TestPrefectTarget(TargetExam):
    @pytest.fixture
    async def target(self, server):
        target = a_target(server[0])
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, server):
        async def to(run_id, state):
            answer = server[1].post(f"/flow_runs/{run_id}/set_state", json={"state": {"type": TYPES[state]}, "force": True})
            assert answer.json()["status"] == "ACCEPT", answer.text

        return to

    async def test_flow_of_its_users_gets_the_input_and_succeeds(self, target, server, key):
        """The whole way, through a process that serves it."""
        run = await target.start("roll-out", key, {"version": "1.2"})
        seen = await until(target, run.id, RunState.SUCCEEDED)
        assert seen.words == "Completed"
        assert server[1].get(f"/flow_runs/{run.id}").json()["parameters"]["version"] == "1.2"

    async def test_reason_of_a_failure_is_told(self, target, key):
        """In Prefect's own words."""
        run = await target.start("roll-out", key, {"version": "1.2", "end": "badly"})
        seen = await until(target, run.id, RunState.FAILED)
        assert "the new version does not answer" in seen.message

    async def test_running_flow_is_cancelled(self, target, key, tmp_path):
        """Its process is told to stop."""
        run = await target.start("roll-out", key, {"version": "1.2", "end": str(tmp_path / "never")})
        await until(target, run.id, RunState.RUNNING)
        await target.cancel(run.id)
        await until(target, run.id, RunState.CANCELLED)

    async def test_input_that_does_not_fit_is_refused(self, target, key):
        """In Prefect's words, permanently, and without a run."""
        with pytest.raises(PermanentError, match="version"):
            await target.start("roll-out", key, {"version": ["1.2"]})
        assert await target.find("roll-out", key) is None

    async def test_run_deleted_behind_our_back_is_not_found(self, target, server, key):
        """Somebody deletes it on Prefect's page."""
        run = await target.start("deploy", key, {})
        assert server[1].delete(f"/flow_runs/{run.id}").status_code == 204
        with pytest.raises(NotFound):
            await target.status(run.id)

    async def test_wrong_password_is_refused(self, server, key):
        """And shown to nobody."""
        target = PrefectTarget("prod", url=server[0], credentials=Basic(USER, lambda: "canary-4711"), timeout=60)
        for call in (target.probe(), target.start("house/deploy", key, {})):
            with pytest.raises(AccessRefused) as refused:
                await call
            assert "canary" not in str(refused.value)
        await target.close()


class TestPrefectFaults(FaultExam):
    @pytest.fixture
    def upstream(self, server):
        return server[0].removesuffix("/api")

    @pytest.fixture
    def behind(self):
        return lambda url, timeout: a_target(f"{url}/api", timeout=timeout)
