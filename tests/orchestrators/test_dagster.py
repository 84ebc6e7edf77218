"""A real Dagster sits the exam, and runs a job of its users to the end."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from providers.errors import NotFound, PermanentError, TemporaryError, Unreachable
from providers.targets import RunState
from providers.targets.dagster import DagsterTarget, Job
from tests.contract.targets.exam import INPUT, TargetExam, until
from tests.contract.targets.faults import FaultExam
from tests.orchestrators.environments import DAGSTER
from tests.orchestrators.processes import answers, running
from tests.servers.ports import free_port

INSTANCE = """\
telemetry: {enabled: false}
concurrency:
  runs:
    tag_concurrency_limits: [{key: waits, limit: 0}]
run_monitoring: {enabled: false}
"""
WORKSPACE = """\
load_from:
  - python_file: {relative_path: dagster_definitions.py, location_name: house}
  - python_file: {relative_path: broken.py, location_name: broken}
"""
JOBS = {
    "deploy": Job(name="deploy", input_at=("ops", "nothing", "config")),
    "roll-out": Job(name="roll_out", input_at=("ops", "replace", "config")),
    "no-such-workflow": Job(name="no-such-workflow"),
}


class Server:
    """A Dagster with a home of its own: webserver, daemon, and somebody who ends queued runs."""

    def __init__(self, url, ends):
        self.url = url
        self._ends = ends

    def ask(self, query, **variables):
        asked = {"query": query, "variables": variables}
        return httpx.post(f"{self.url}/graphql", json=asked, timeout=60, trust_env=False).json()["data"]

    def runs(self, key):
        tags = [{"key": "admittance/run_key", "value": key}]
        query = "query($tags: [ExecutionTag!]) {runsOrError(filter: {tags: $tags}) {... on Runs {results {runId status parentRunId}}}}"
        return self.ask(query, tags=tags)["runsOrError"]["results"]

    def end(self, run_id, state):
        self._ends.stdin.write(f"{run_id} {state}\n")
        self._ends.stdin.flush()
        assert self._ends.stdout.readline() == "done\n"


@pytest.fixture(scope="module")
def server():
    """Webserver and daemon with a code location that loads, and one that does not."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="admit-dagster-")))
        shutil.copy(Path(__file__).with_name("dagster_definitions.py"), folder)
        (folder / "broken.py").write_text("raise ValueError('half written')\n")
        (folder / "dagster.yaml").write_text(INSTANCE)
        (folder / "workspace.yaml").write_text(WORKSPACE)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        programs = Path(DAGSTER.command("python")).parent
        environment = {"DAGSTER_HOME": str(folder), "PATH": f"{programs}:/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
        web = [str(programs / "dagster-webserver"), "--host", "127.0.0.1", "--port", str(port), "--workspace", "workspace.yaml"]
        stack.enter_context(
            running(web, folder=folder, environment=environment, ready=lambda: answers(f"{url}/server_info"), name="webserver")
        )
        ends = stack.enter_context(
            subprocess.Popen(
                [programs / "python", Path(__file__).with_name("dagster_ends.py")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(ends.terminate)
        assert ends.stdout.readline() == "ready\n"
        server = Server(url, ends)

        def awake():
            health = server.ask("{instance {daemonHealth {allDaemonStatuses {daemonType healthy}}}}")["instance"]["daemonHealth"]
            return all(one["healthy"] for one in health["allDaemonStatuses"] if one["daemonType"] == "QUEUED_RUN_COORDINATOR")

        daemon = [str(programs / "dagster-daemon"), "run", "--workspace", "workspace.yaml"]
        stack.enter_context(running(daemon, folder=folder, environment=environment, ready=awake, name="daemon"))
        yield server


def a_target(url, timeout=60):
    return DagsterTarget("prod", url=url, location="house", jobs=JOBS, timeout=timeout)


class TestDagsterTarget(TargetExam):
    @pytest.fixture
    async def target(self, server):
        target = a_target(server.url)
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, server):
        async def to(run_id, state):
            (run,) = server.runs(run_id)
            server.end(run["runId"], state.value)

        return to

    async def test_job_of_its_users_gets_the_input_and_succeeds(self, target, server, key):
        """The whole way, through the queue, the daemon and a process it starts."""
        run = await target.start("roll-out", key, {"version": "1.2"})
        seen = await until(target, run.id, RunState.SUCCEEDED, seconds=170)
        assert seen.words == "SUCCESS"
        (there,) = server.runs(key)
        assert seen.url == f"{server.url}/runs/{there['runId']}"
        query = "query($id: ID!) {runOrError(runId: $id) {... on Run {runConfig}}}"
        assert server.ask(query, id=there["runId"])["runOrError"]["runConfig"] == {"ops": {"replace": {"config": {"version": "1.2"}}}}

    async def test_step_that_failed_is_named(self, target, key):
        """Dagster's page has the rest."""
        run = await target.start("roll-out", key, {"version": "1.2", "end": "badly"})
        seen = await until(target, run.id, RunState.FAILED, seconds=170)
        assert seen.message == "failed: replace"

    async def test_running_job_is_cancelled(self, target, key, tmp_path):
        """Its process is told to stop."""
        run = await target.start("roll-out", key, {"version": "1.2", "end": str(tmp_path / "never")})
        await until(target, run.id, RunState.RUNNING, seconds=170)
        await target.cancel(run.id)
        await until(target, run.id, RunState.CANCELLED, seconds=170)

    async def test_input_that_does_not_fit_is_refused(self, target, key):
        """In Dagster's words, permanently, and without a run."""
        with pytest.raises(PermanentError, match="version"):
            await target.start("roll-out", key, {"version": 3})
        assert await target.find("roll-out", key) is None

    @pytest.mark.parametrize("look", ["start", "find", "status"])
    async def test_younger_of_two_is_terminated(self, target, server, key, look):
        """Two gateways looked at the same moment and launched both: one run goes on, and both watch that one.

        Whatever is asked next; the one that launched the second may be dead by now.
        """
        first = await target.start("deploy", key, INPUT)
        await target._launch(JOBS["deploy"], key, INPUT)  # what the other one does that had not seen it
        assert len(server.runs(key)) == 2
        looks = {"start": ("deploy", key, INPUT), "find": ("deploy", key), "status": (first.id,)}
        again = await getattr(target, look)(*looks[look])
        assert (again.id, again.url) == (first.id, first.url)
        assert sorted(run["status"] for run in server.runs(key)) == ["CANCELED", "QUEUED"]
        assert (await target.status(first.id)).state is RunState.QUEUED

    async def test_run_that_somebody_executes_again_is_left_alone(self, target, server, key):
        """It has its parent's tags; it is theirs, and ours is as it ended."""
        run = await target.start("deploy", key, INPUT)
        (ours,) = server.runs(key)
        server.end(ours["runId"], "failed")
        again = "mutation($p: ReexecutionParams!) {launchRunReexecution(reexecutionParams: $p) {__typename}}"
        params = {"parentRunId": ours["runId"], "strategy": "ALL_STEPS"}
        assert server.ask(again, p=params)["launchRunReexecution"]["__typename"] == "LaunchRunSuccess"
        assert (await target.start("deploy", key, INPUT)).state is RunState.FAILED
        assert sorted(run["status"] for run in server.runs(key)) == ["FAILURE", "QUEUED"]
        assert (await target.status(run.id)).state is RunState.FAILED

    async def test_run_deleted_behind_our_back_is_not_found(self, target, server, key):
        """Somebody deletes it on Dagster's page."""
        run = await target.start("deploy", key, INPUT)
        (there,) = server.runs(key)
        deleted = server.ask("mutation($id: String!) {deletePipelineRun(runId: $id) {__typename}}", id=there["runId"])
        assert deleted["deletePipelineRun"]["__typename"] == "DeletePipelineRunSuccess"
        with pytest.raises(NotFound):
            await target.status(run.id)

    @pytest.mark.parametrize(("where", "said"), [("elsewhere", "it has broken, house"), ("house", "no repository 'other'")])
    async def test_location_or_repository_that_is_not_there_is_told(self, server, key, where, said):
        """Permanent, with what there is."""
        target = DagsterTarget("prod", url=server.url, location=where, repository="other", timeout=60)
        for call in (target.probe(), target.start("deploy", key, {})):
            with pytest.raises(NotFound, match=said):
                await call
        await target.close()

    async def test_location_that_does_not_load_is_waited_for(self, server, key):
        """Its jobs are not found just then; they may be in a moment, so it is no reason to give up."""
        target = DagsterTarget("prod", url=server.url, location="broken", timeout=60)
        for call in (target.probe(), target.start("deploy", key, {})):
            with pytest.raises(Unreachable, match=r"not loaded: .*half written"):
                await call
        await target.close()

    async def test_two_gateways_at_once_leave_one_run(self, server, key):
        """Whichever of them is first: all others are terminated."""
        targets = [a_target(server.url) for _ in range(3)]

        async def insisting(target):
            for _ in range(100):
                try:
                    return await target.start("deploy", key, INPUT)
                except TemporaryError:
                    await asyncio.sleep(0.05)
            raise AssertionError("it never started")

        runs = await asyncio.gather(*(insisting(target) for target in targets))
        assert {run.id for run in runs} == {key}
        assert [run["status"] for run in server.runs(key)].count("QUEUED") == 1
        for target in targets:
            await target.close()


class TestDagsterFaults(FaultExam):
    @pytest.fixture
    def upstream(self, server):
        return server.url

    @pytest.fixture
    def behind(self):
        return a_target

    def starts(self, request):
        return b"launchRun" in request.body
