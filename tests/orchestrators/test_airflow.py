"""A real Airflow sits the exam, and runs a DAG of its users to the end."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from providers.errors import AccessRefused, NotFound, PermanentError
from providers.targets import RunState
from providers.targets.airflow import AirflowTarget, logging_in
from tests.contract.targets.exam import TargetExam, until
from tests.contract.targets.faults import FaultExam
from tests.orchestrators.environments import AIRFLOW
from tests.orchestrators.processes import answers, running
from tests.servers.ports import free_port

USER, PASSWORD = "admin", "password-of-the-gateway"
TOKENS_LIVE = 20
"""Seconds."""
STATES = {RunState.SUCCEEDED: "success", RunState.FAILED: "failed"}


class Server:
    """An Airflow, and somebody with a token of their own who does things there."""

    def __init__(self, url):
        self.url = url

    def ask(self, method, path, *, headers=None, **body):
        headers = headers or {"Authorization": f"Bearer {self._token()}"}
        return httpx.request(method, f"{self.url}/api/v2{path}", json=body or None, headers=headers, timeout=60, trust_env=False)

    def _token(self):
        account = {"username": USER, "password": PASSWORD}
        return httpx.post(f"{self.url}/auth/token", json=account, timeout=60, trust_env=False).json()["access_token"]


@pytest.fixture(scope="module")
def server():
    """`airflow standalone` with a home of its own, once it has read the DAGs."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="admit-airflow-")))
        (folder / "dags").mkdir()
        shutil.copy(Path(__file__).with_name("airflow_dags.py"), folder / "dags")
        (folder / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        server = Server(url)
        environment = {
            "PATH": f"{Path(AIRFLOW.command('airflow')).parent}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME": str(TOKENS_LIVE),
            "AIRFLOW__API_AUTH__JWT_LEEWAY": "0",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

        def ready():
            if not answers(f"{url}/api/v2/version"):
                return False
            return {dag["dag_id"] for dag in server.ask("GET", "/dags").json()["dags"]} == {"deploy", "roll_out"}

        command = [AIRFLOW.command("airflow"), "standalone"]
        stack.enter_context(running(command, folder=folder, environment=environment, ready=ready, name="airflow"))
        yield server


def a_target(url, *, credentials=None, timeout=60):
    credentials = credentials or logging_in("prod", url=url, user=USER, password=lambda: PASSWORD, timeout=timeout)
    return AirflowTarget("prod", url=url, credentials=credentials, timeout=timeout)


class TestAirflowTarget(TargetExam):
    @pytest.fixture
    async def target(self, server):
        target = a_target(server.url)
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, server):
        async def to(run_id, state):
            changed = server.ask("PATCH", f"/dags/{run_id.replace('/', '/dagRuns/')}", state=STATES[state])
            assert changed.status_code == 200, changed.text

        return to

    async def test_dag_of_its_users_gets_the_input_and_succeeds(self, target, server, key):
        """The whole way, through Airflow's scheduler and a process it starts."""
        run = await target.start("roll_out", key, {"version": "1.2"})
        seen = await until(target, run.id, RunState.SUCCEEDED, seconds=170)
        assert seen.words == "success"
        assert seen.url == f"{server.url}/dags/roll_out/runs/{key}"
        told = server.ask("GET", f"/dags/roll_out/dagRuns/{key}/taskInstances/replace/xcomEntries/return_value")
        assert "1.2" in told.json()["value"]

    async def test_task_that_failed_is_named(self, target, key):
        """Airflow keeps no reason beside a run; its page has the log."""
        run = await target.start("roll_out", key, {"version": "1.2", "end": "badly"})
        seen = await until(target, run.id, RunState.FAILED, seconds=170)
        assert seen.message == "failed: replace"

    async def test_running_dag_is_cancelled(self, target, key, tmp_path):
        """Its task is killed; Airflow calls it failed, the note says by whom."""
        run = await target.start("roll_out", key, {"version": "1.2", "end": str(tmp_path / "never")})
        await until(target, run.id, RunState.RUNNING, seconds=170)
        seen = await target.cancel(run.id)
        assert (seen.state, seen.words) == (RunState.CANCELLED, "failed")
        assert (await target.status(run.id)).state is RunState.CANCELLED

    async def test_input_that_does_not_fit_is_refused(self, target, key):
        """In Airflow's words, permanently, and without a run."""
        with pytest.raises(PermanentError, match="version"):
            await target.start("roll_out", key, {"version": 3})
        assert await target.find("roll_out", key) is None

    async def test_token_that_expires_while_a_run_is_watched_is_renewed(self, server, key):
        """By logging in again; the watch goes on."""
        credentials = logging_in("prod", url=server.url, user=USER, password=lambda: PASSWORD, timeout=60)
        target = a_target(server.url, credentials=credentials)
        run = await target.start("deploy", key, {})
        old = await credentials.headers()
        async with asyncio.timeout(150):
            while server.ask("GET", "/dags", headers=old).status_code != 401:
                await asyncio.sleep(1)
        assert (await target.status(run.id)).id == run.id
        assert await credentials.headers() != old
        await target.close()

    async def test_wrong_password_is_refused(self, server, key):
        """And shown to nobody."""
        credentials = logging_in("prod", url=server.url, user=USER, password=lambda: "canary-4711", timeout=60)
        target = a_target(server.url, credentials=credentials)
        for call in (target.probe(), target.start("deploy", key, {})):
            with pytest.raises(AccessRefused, match="Invalid credentials") as refused:
                await call
            assert "canary" not in str(refused.value)
        await target.close()

    async def test_run_deleted_behind_our_back_is_not_found(self, target, server, key):
        """Somebody deletes it on Airflow's page."""
        run = await target.start("deploy", key, {})
        assert server.ask("DELETE", f"/dags/deploy/dagRuns/{key}").status_code == 204
        with pytest.raises(NotFound):
            await target.status(run.id)


class TestAirflowFaults(FaultExam):
    renews = True

    @pytest.fixture
    def upstream(self, server):
        return server.url

    @pytest.fixture
    def behind(self, server):
        def target(url, timeout):
            # logging in is not what is spoiled
            return a_target(
                url, credentials=logging_in("prod", url=server.url, user=USER, password=lambda: PASSWORD, timeout=60), timeout=timeout
            )

        return target
