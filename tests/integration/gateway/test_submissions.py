"""Workflows submitted through every tier: judged, held for people, started once, watched to their end."""

from __future__ import annotations

import asyncio

from tests.integration.gateway.submitting import BEN, a_yard


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def test_what_is_admitted_runs_once_to_its_end(tmp_path):
    """202 with the decision; the run's key is that decision; the target's own words are kept."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(labels={"team": "shop"})
            assert answer.status_code == 202, answer.text
            said = answer.json()
            assert (said["state"], said["decision"]["outcome"]) == ("admitted", "admitted")
            assert answer.headers["location"] == f"/v1/submissions/{said['id']}"
            ended = await yard.show(said["id"], wait="60s")
            assert (ended["state"], ended["run"]["words"]) == ("succeeded", "succeeded")
            (started,) = yard.target.runs
            assert (started.key, started.workflow, started.input) == (said["decision"]["id"], "deploy", {"place": "earth"})
            assert ended["run_key"] == started.key

    run(story())


def test_what_is_denied_says_why_and_what_to_do(tmp_path):
    """403, kept under its key, and nothing starts."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(place="moon", key="k")
            assert answer.status_code == 403
            said = answer.json()
            assert said["detail"] == "denied: nobody deploys to the moon"
            assert said["violations"][0]["remedy"] == "choose another place"
            again = await yard.submit(place="moon", key="k")
            assert (again.status_code, again.json()["decision"]) == (403, said["decision"])
            assert (await yard.show(said["submission"]))["state"] == "denied"
            assert yard.target.runs == ()

    run(story())


def test_held_then_approved_by_somebody_else_runs(tmp_path):
    """It waits, durably; a second person releases it; the policies are asked again and say who it was."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            assert yard.target.runs == ()
            said = await yard.say("approve", id, by=BEN, reason="looks right")
            assert said.status_code == 200, said.text
            ended = await yard.becomes(id, "succeeded")
            assert ended["decision"]["released"][0]["by"] == [BEN]
            assert [(word["user"], word["word"], word["reason"]) for word in ended["approvals"]] == [(BEN, "approved", "looks right")]
            assert len(yard.target.runs) == 1
            assert yard.target.runs[0].key == ended["decision"]["id"]

    run(story())
