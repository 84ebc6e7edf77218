"""The durable core seen and steered from outside: API, pages, metrics, command line."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3

import yaml

from policies import Outcome
from tests.e2e.process import PATIENCE, admit
from tests.integration.gateway.house import REPOSITORY, a_house


async def a_dead_letter(house):
    """The forge refuses the status for good: the report is given up. The decision it was about."""
    key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
    house.forge.weather.refusing("report")
    await house.deliver()
    decision = await house.decided(key, lambda d: True)
    async with asyncio.timeout(PATIENCE):
        while not await house.gateway.core.dead_letters():
            await asyncio.sleep(0.02)
    return decision


def test_a_report_that_is_refused_is_a_dead_letter_and_can_be_revived(tmp_path):
    """Seen with its attempts, revived once the cause is gone, and then the status comes."""

    async def story():
        async with a_house(tmp_path) as house:
            decision = await a_dead_letter(house)
            (letter,) = (await house.client.get("/v1/dead-letters")).json()["dead_letters"]
            assert letter["activity"] == "report_status"
            assert letter["attempts"]
            page = (await house.client.get("/dead-letters")).text
            assert letter["workflow_id"] in page
            metrics = (await house.client.get("/metrics")).text
            assert re.search(r"^admit_dead_letters 1\.0$", metrics, re.MULTILINE)
            refused = r'^admit_activity_attempts_total\{activity="report_status",outcome="refused"\} 1\.0$'
            assert re.search(refused, metrics, re.MULTILINE), metrics

            house.forge.weather.clear()
            revived = await house.client.post(f"/v1/dead-letters/{letter['workflow_id']}/revive")
            assert revived.status_code == 200, revived.text
            await house.turned(decision.change.head_sha, "success")
            async with asyncio.timeout(PATIENCE):
                while (await house.client.get("/v1/dead-letters")).json()["dead_letters"]:
                    await asyncio.sleep(0.02)
            assert (await house.client.post(f"/v1/dead-letters/{letter['workflow_id']}/revive")).status_code in {404, 409}

    asyncio.run(story())


def test_a_run_and_its_history_are_shown(tmp_path):
    """The API has every event; the page draws them in order; metrics count the outcome."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            await house.turned(decision.change.head_sha, "success")
            id = decision.change.workflow_id
            await house.gateway.core.result(id, timeout=PATIENCE)
            runs = (await house.client.get("/v1/workflows", params={"type": "judge_change"})).json()["workflows"]
            assert [run["workflow_id"] for run in runs] == [id] * len(runs)
            history = (await house.client.get(f"/v1/workflows/{id}/history")).json()
            kinds = [event["kind"] for event in history["events"]]
            assert kinds[0] == "WorkflowStarted"
            assert kinds[-1] == "WorkflowCompleted"
            page = (await house.client.get(f"/workflows/{id}")).text
            assert re.findall(r"<b>(\w+)</b>", page) == kinds
            assert (await house.client.get(f"/v1/workflows/{id}")).json()["status"] == "completed"
            assert (await house.client.get("/v1/workflows/nothing")).status_code == 404
            metrics = (await house.client.get("/metrics")).text
            assert re.search(r'^admit_open_changes\{outcome="admitted"\} 1\.0$', metrics, re.MULTILINE)

    asyncio.run(story())


def test_what_waits_can_be_tried_now_or_cancelled(tmp_path):
    """A forge that is away parks the judgement; an operator does not have to wait for the schedule."""

    async def story():
        async with a_house(tmp_path) as house:
            house.forge.weather.down()
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            id = f"change:work:{REPOSITORY}:{key.number}"
            async with asyncio.timeout(PATIENCE):
                while True:
                    answer = await house.client.get(f"/v1/workflows/{id}")
                    if answer.status_code == 200 and answer.json()["wake_at"]:
                        break
                    await asyncio.sleep(0.02)
            async with asyncio.timeout(PATIENCE):  # now and again its next attempt is being made
                while (await house.client.get("/v1/queue")).json()["parked"] < 1:
                    await asyncio.sleep(0.02)
            (waiting,) = (await house.client.get("/v1/workflows", params={"type": "judge_change"})).json()["workflows"]
            if waiting["wake_at"]:  # else its next attempt has begun
                assert waiting["error"].startswith("judge_change: TemporaryError: ")
            house.forge.weather.clear()
            assert (await house.client.post(f"/v1/workflows/{id}/retry")).status_code == 200
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)

            house.forge.weather.down()
            other = house.forge.open_change(REPOSITORY, head="other", files={"b": "1"}, labels=["bug"])
            await house.deliver()
            id = f"change:work:{REPOSITORY}:{other.number}"
            async with asyncio.timeout(PATIENCE):
                while (await house.client.post(f"/v1/workflows/{id}/cancel")).status_code != 200:
                    await asyncio.sleep(0.02)
            assert (await house.gateway.core.result(id, timeout=PATIENCE)).status.value == "cancelled"

    asyncio.run(story())


def test_the_command_line_sees_the_same(tmp_path):
    """List, show, replay, dead letters: on the database of a gateway that is not even running."""

    async def story():
        async with a_house(tmp_path) as house:
            decision = await a_dead_letter(house)
            await house.gateway.core.result(decision.change.workflow_id, timeout=PATIENCE)
            return decision.change.workflow_id

    id = asyncio.run(story())
    (tmp_path / "admit.yaml").write_text(yaml.safe_dump({"database": "sqlite:///admit.db"}))
    listed = json.loads(admit("workflow", "list", "--json", cwd=tmp_path).stdout)
    assert id in {run["workflow_id"] for run in listed}
    housekeeping = {"reconcile", "seal_record"}
    assert not housekeeping & {run["type"] for run in listed}
    everything = json.loads(admit("workflow", "list", "--all", "--json", cwd=tmp_path).stdout)
    assert "reconcile" in {run["type"] for run in everything}
    assert {run["type"] for run in json.loads(admit("workflow", "list", "--type", "reconcile", "--json", cwd=tmp_path).stdout)} == {
        "reconcile"
    }
    failed = admit("workflow", "list", "--status", "failed", cwd=tmp_path).stdout
    assert re.search(r"^failed +report_status +report:\S+  ActivityFailed: report_status: ", failed, re.MULTILINE), failed
    assert id in admit("workflow", "list", "--status", "completed", cwd=tmp_path).stdout
    assert "WorkflowStarted" in admit("workflow", "show", id, cwd=tmp_path).stdout
    replayed = admit("workflow", "replay", id, cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    letters = json.loads(admit("dead-letters", "list", "--json", cwd=tmp_path).stdout)
    assert [letter["activity"] for letter in letters] == ["report_status"]
    assert json.loads(admit("dead-letters", "show", letters[0]["workflow_id"], cwd=tmp_path).stdout)["attempts"]
    assert "goes on" in admit("dead-letters", "revive", "--all", cwd=tmp_path).stdout
    with sqlite3.connect(tmp_path / "admit.db") as database:
        events = [json.loads(document) for (document,) in database.execute("SELECT document FROM audit_event ORDER BY ord")]
    assert (events[-1]["who"], events[-1]["what"], events[-1]["about"]) == ("the command line", "dead_letter.revived", "all")
    assert admit("workflow", "show", "nothing", cwd=tmp_path).returncode == 2
    assert admit("dead-letters", "revive", cwd=tmp_path).returncode == 2
