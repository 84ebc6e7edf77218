"""A whole gateway with `durable: temporal`: from a webhook to a posted status, and steered by the same API."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest
import yaml

from gateway.config import Durable, TemporalCluster, load_settings
from gateway.errors import ConfigurationWrong
from policies import Outcome
from tests.contract.durable.builders import until
from tests.e2e.process import PATIENCE, admit
from tests.integration.gateway.house import REPOSITORY, a_house
from tests.integration.gateway.submitting import ANA, BEN, a_yard
from tests.servers.temporal import need_temporal, session_temporal


def a_house_on_temporal(folder, queue):
    """A gateway whose workflows a real Temporal server keeps."""
    need_temporal()
    return a_house(folder, durable=Durable(temporal=TemporalCluster(address=session_temporal(), task_queue=queue)))


def test_change_is_judged_and_its_status_posted(tmp_path):
    """The same line as with the embedded engine; API, page and metrics show what Temporal keeps."""

    async def story():
        async with a_house_on_temporal(tmp_path, "house-judged") as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            assert {answer.status_code for answer in await house.deliver()} == {202}
            decision = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            await house.turned(decision.change.head_sha, "failure")
            house.forge.label(key, "bug")
            await house.deliver()
            await house.turned(decision.change.head_sha, "success")
            id = decision.change.workflow_id
            run = await house.gateway.core.result(id, timeout=PATIENCE)
            assert run.status.value == "completed"
            history = (await house.client.get(f"/v1/workflows/{id}/history")).json()
            kinds = [event["kind"] for event in history["events"]]
            assert kinds[0] == "WorkflowStarted"
            assert kinds[-1] == "WorkflowCompleted"
            assert re.findall(r"<b>(\w+)</b>", (await house.client.get(f"/workflows/{id}")).text) == kinds
            assert (await house.client.get("/readyz")).status_code == 200

    asyncio.run(story())


def test_held_submission_is_approved_and_runs(tmp_path):
    """Waiting for people, starting and watching are the same workflow there; what is cancelled ends there too."""

    async def story():
        need_temporal()
        cluster = TemporalCluster(address=session_temporal(), task_queue="house-submissions")
        async with a_yard(tmp_path, durable=Durable(temporal=cluster)) as yard:
            id, other = await yard.held(), await yard.held()
            assert (await yard.say("approve", id, by=BEN)).status_code == 200
            await yard.becomes(id, "succeeded")
            assert (await yard.say("cancel", other, by=ANA)).status_code == 200
            await yard.becomes(other, "cancelled")
            assert [run.starts for run in yard.target.runs] == [1]

    asyncio.run(story())


def test_refused_report_is_a_dead_letter_and_can_be_revived(tmp_path):
    """By the same API: seen with its attempts, revived once the cause is gone, and then the status comes."""

    async def story():
        async with a_house_on_temporal(tmp_path, "house-letters") as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            house.forge.weather.refusing("report")
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            letters = await until(lambda: _letters(house))
            assert letters[0]["activity"] == "report_status"
            assert letters[0]["attempts"]
            house.forge.weather.clear()
            for letter in letters:
                revived = await house.client.post(f"/v1/dead-letters/{letter['workflow_id']}/revive")
                assert revived.status_code == 200, revived.text
            await house.turned(decision.change.head_sha, "success")

    asyncio.run(story())


def test_command_line_sees_and_steers_what_temporal_keeps(tmp_path):
    """List, show, replay, and a dead letter revived beside the running gateway."""

    async def story():
        async with a_house_on_temporal(tmp_path, "house-command") as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            house.forge.weather.refusing("report")
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            await until(lambda: _letters(house))
            house.forge.weather.clear()
            cluster = {"address": session_temporal(), "task_queue": "house-command"}
            settings = {"database": "sqlite:///admit.db", "durable": {"temporal": cluster}}
            (tmp_path / "admit.yaml").write_text(yaml.safe_dump(settings))
            await house.gateway.core.result(decision.change.workflow_id, timeout=PATIENCE)
            await asyncio.to_thread(_command_line, tmp_path, decision.change.workflow_id)
            await house.turned(decision.change.head_sha, "success")

    asyncio.run(story())


def _command_line(folder, id):
    assert id in admit("workflow", "list", cwd=folder).stdout
    assert "WorkflowCompleted" in admit("workflow", "show", id, cwd=folder).stdout
    replayed = admit("workflow", "replay", id, cwd=folder)
    assert replayed.returncode == 0, replayed.stderr
    assert "goes on" in admit("dead-letters", "revive", "--all", cwd=folder).stdout


async def _letters(house):
    return (await house.client.get("/v1/dead-letters")).json()["dead_letters"]


def test_configuration_names_the_cluster(tmp_path):
    """Address, namespace and task queue; a wrong key is named."""
    file = tmp_path / "admit.yaml"
    file.write_text("durable: {temporal: {address: 'temporal.acme.internal:7233', namespace: gates, task_queue: house-1}}\n")
    cluster = load_settings(file).durable.temporal
    assert (cluster.address, cluster.namespace, cluster.task_queue) == ("temporal.acme.internal:7233", "gates", "house-1")
    file.write_text("durable: {temporal: {address: somewhere}}\n")
    with pytest.raises(ConfigurationWrong, match=r"durable\.temporal\.address"):
        load_settings(file)


def test_installation_without_the_extra_says_what_to_install(tmp_path):
    """In a process that cannot import Temporal's SDK; the embedded engine is built there all the same."""
    program = f"""
import sys
sys.modules["temporalio"] = None
from gateway.config import Durable, Settings, TemporalCluster
from gateway.errors import ConfigurationWrong
from gateway.wiring import build_core, build_database
database = build_database(Settings(database="sqlite:///{tmp_path}/admit.db"))
build_core(database, dict(), Durable())
try:
    build_core(database, dict(), Durable(temporal=TemporalCluster(address="127.0.0.1:1")))
except ConfigurationWrong as problem:
    print(problem, "|", problem.advice)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "durable.temporal: Temporal's SDK is not installed | run: pip install 'admittance[temporal]'"
