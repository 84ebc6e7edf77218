"""What becomes of a submission when its target is away, loses answers, forgets runs or does not let us in any more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from gateway import running_relations
from gateway.domain.clock import utc_now
from gateway.durable import UnknownWorkflow
from gateway.operations.evidence import ReadEvidence
from gateway.operations.replay import Replay, Same
from gateway.wiring import build_relations
from providers.targets import RunState
from providers.targets.memory import MemoryTarget
from tests.e2e.process import PATIENCE
from tests.integration.gateway.submitting import ANA, BEN, Weather, a_yard

ASKING = """package deploy.rules

import data.admit

questions contains admit.question(input.subject.ref, "approver", "environment:production")

deny contains "you may not deploy" if not admit.related(input.subject.ref, "approver", "environment:production")
"""


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


async def an_attempt_failed(yard, id, count=1):
    """Until so many attempts have come to nothing."""
    workflow = (await yard.show(id))["durable_workflow"]
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(UnknownWorkflow):  # it has not begun
                events = await yard.house.gateway.core.history(workflow)
                if sum(event.kind == "AttemptFailed" for event in events) >= count:
                    return workflow
            await asyncio.sleep(0.02)


async def retried(yard, id):
    """Somebody says: try now."""
    await yard.house.gateway.core.retry((await yard.show(id))["durable_workflow"])


async def running_there(yard, id):
    """The run's id at the target, once it is known here."""
    return (await yard.becomes(id, "running"))["run"]["id"]


def test_a_target_that_is_away_delays_the_start(tmp_path):
    """Nothing is lost and nothing doubled: once it is back the run starts."""

    async def story():
        async with a_yard(tmp_path) as yard:
            yard.target.weather.down()
            id = (await yard.submit()).json()["id"]
            await an_attempt_failed(yard, id)
            assert (await yard.show(id))["state"] == "admitted"
            yard.target.weather.clear()
            await retried(yard, id)
            await yard.becomes(id, "succeeded")
            assert [run.starts for run in yard.target.runs] == [1]

    run(story())


def test_a_start_that_was_accepted_and_lost_its_answer_is_found_again(tmp_path):
    """It is looked for before another attempt is made."""

    async def story():
        async with a_yard(tmp_path) as yard:
            yard.target.weather.losing_answers("start", times=1)
            id = (await yard.submit()).json()["id"]
            await an_attempt_failed(yard, id)
            await retried(yard, id)
            await yard.becomes(id, "succeeded")
            assert [run.starts for run in yard.target.runs] == [1]

    run(story())


def test_a_run_deleted_behind_our_back_ends_as_unknown(tmp_path):
    """Nobody can say how it ended, and nothing starts it again."""

    async def story():
        async with a_yard(tmp_path, target=MemoryTarget("production", ["deploy", "other"])) as yard:
            id = (await yard.submit()).json()["id"]
            yard.target.forget(await running_there(yard, id))
            ended = await yard.becomes(id, "unknown")
            assert ended["run"]["message"] == "the target does not know this run any more"
            assert yard.target.runs == ()

    run(story())


def test_credentials_that_expire_while_a_run_is_watched_are_waited_for(tmp_path):
    """The run goes on there; once they are renewed its end is seen."""

    async def story():
        async with a_yard(tmp_path, target=MemoryTarget("production", ["deploy", "other"])) as yard:
            id = (await yard.submit()).json()["id"]
            there = await running_there(yard, id)
            yard.target.weather.refusing("status")
            await an_attempt_failed(yard, id)
            yard.target.advance(there, RunState.FAILED)
            yard.target.weather.clear()
            await retried(yard, id)
            assert (await yard.becomes(id, "failed"))["run"]["words"] == "failed"

    run(story())


def test_what_is_cancelled_while_it_waits_never_starts(tmp_path):
    """Held, or waiting for a target that is away."""

    async def story():
        async with a_yard(tmp_path) as yard:
            held = await yard.held()
            assert (await yard.say("cancel", held, by=ANA)).status_code == 200
            await yard.becomes(held, "cancelled")
            late = await yard.say("cancel", held, by=ANA)
            assert late.status_code == 200, "asking twice is asking once"
            assert yard.target.runs == ()

    run(story())


def test_a_running_one_is_asked_to_stop(tmp_path):
    """By who submitted it or an operator, and by nobody else."""

    async def story():
        async with a_yard(tmp_path, target=MemoryTarget("production", ["deploy", "other"])) as yard:
            id = (await yard.submit()).json()["id"]
            await running_there(yard, id)
            stranger = await yard.say("cancel", id, by=BEN)
            assert (stranger.status_code, stranger.json()["detail"]) == (403, "only who submitted it may cancel it, or an operator")
            operator = await yard.client.post(f"/v1/submissions/{id}/cancel", headers=await yard.person(BEN, "operator"))
            assert operator.status_code == 200, operator.text
            await yard.becomes(id, "cancelled")
            assert [run.state for run in yard.target.runs] == [RunState.CANCELLED]
            ended = await yard.say("cancel", id, by=ANA)
            assert ended.status_code == 200

    run(story())


def test_what_the_target_refuses_is_a_dead_letter_that_goes_on_when_it_is_revived(tmp_path):
    """Somebody has to change something there; the page says what it said."""
    target = MemoryTarget("production", ["other"], automatic=True)

    async def story():
        async with a_yard(tmp_path, target=target) as yard:
            id = (await yard.submit()).json()["id"]
            async with asyncio.timeout(PATIENCE):
                while not (letters := (await yard.client.get("/v1/dead-letters")).json()["dead_letters"]):
                    await asyncio.sleep(0.02)
            assert "has no workflow 'deploy'" in letters[0]["message"]
            shown = await yard.client.get(f"/submissions/{id}")
            assert "Carrying it has been given up" in shown.text
            target._workflows = frozenset({"deploy"})
            assert (await yard.client.post(f"/v1/dead-letters/{letters[0]['workflow_id']}/revive")).status_code == 200
            await yard.becomes(id, "succeeded")
            assert len(target.runs) == 1

    run(story())


@pytest.fixture
def weather(monkeypatch):
    """Every gateway of the test has relations that can be away."""
    monkeypatch.setattr(running_relations, "build_relations", lambda settings: Weather(build_relations(settings)))


@pytest.mark.usefixtures("weather")
def test_what_is_not_admitted_any_more_when_the_target_is_back_does_not_start(tmp_path):
    """The policies are asked at the moment of the start; a start that may still be on its way is waited out first."""
    shift = [timedelta()]

    async def story():
        async with a_yard(tmp_path, rego=ASKING, clock=lambda: utc_now() + shift[0]) as yard:
            yard.target.weather.down()
            id = (await yard.submit(by=BEN)).json()["id"]
            await an_attempt_failed(yard, id)
            yard.forget_approver(BEN)
            yard.target.weather.clear()
            await retried(yard, id)
            await an_attempt_failed(yard, id, 2)
            assert (await yard.show(id))["state"] == "admitted", "a start may still be on its way"
            shift[0] = timedelta(seconds=200)
            await retried(yard, id)
            ended = await yard.becomes(id, "denied")
            assert ended["decision"]["reason"] == "you may not deploy"
            assert yard.target.runs == ()

    run(story())


def a_request(path, headers):
    lines = [(name.lower().encode(), value.encode()) for name, value in {"Host": "127.0.0.1:8080", **headers}.items()]
    where = {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "http"}
    return {"type": "http", "method": "GET", "http_version": "1.1", "headers": lines, "client": ("127.0.0.1", 1), **where}


async def nothing_more():
    """The client neither sends anything nor goes away."""
    await asyncio.Event().wait()


def test_each_state_is_told_to_who_follows(tmp_path):
    """Server-sent events, the last when it has ended; then the stream ends."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            app, path, headers = yard.house.gateway.app, f"/v1/submissions/{id}/events", await yard.person(ANA)
            seen, begun = [], asyncio.Event()

            async def told(message):  # as it is sent: the client of these tests hands out whole answers only
                seen.append(message)
                if message.get("body"):
                    begun.set()

            following = asyncio.create_task(app(a_request(path, headers), nothing_more, told))
            await asyncio.wait_for(begun.wait(), PATIENCE)
            await yard.say("approve", id, by=BEN)
            await asyncio.wait_for(following, PATIENCE)
            start, *parts = seen
            assert dict(start["headers"])[b"content-type"].startswith(b"text/event-stream")
            told_of = [line for part in parts for line in part["body"].decode().splitlines() if line.startswith("data:")]
            assert '"state": "held"' in told_of[0]
            assert '"state": "succeeded"' in told_of[-1]

    run(story())


def test_a_replay_of_a_released_decision_comes_to_the_same(tmp_path):
    """People's words, and what was known of them, are on record with it."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            await yard.say("approve", id, by=BEN)
            ended = await yard.becomes(id, "succeeded")
            gateway = yard.house.gateway
            storage, in_force = gateway.services.storage, gateway.services.in_force
            decision = await storage.decision(ended["decision"]["id"])
            replay = Replay(evidence=ReadEvidence(storage=storage, in_force=in_force), engine=gateway.engine)
            assert decision.verdict.released
            assert await replay(decision) == Same()

    run(story())
